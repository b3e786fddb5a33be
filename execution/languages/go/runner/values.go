package algorium

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// notCarried is a value that no payload can carry.
type notCarried struct{ message string }

func (e notCarried) Error() string { return e.message }

// decode puts a payload into what `target` points at. Text fits a string, bytes a []byte, either
// an any; JSON is what encoding/json makes of it.
func decode(kind string, body []byte, target any) error {
	switch place := target.(type) {
	case *any:
		switch kind {
		case "text":
			*place = string(body)
		case "binary":
			*place = body
		case "void":
			*place = nil
		default:
			return fits(json.Unmarshal(body, place))
		}
		return nil
	case *[]byte:
		if kind == "binary" || kind == "void" {
			*place = body
			return nil
		}
		return Fail("InputError", "Bytes are wanted; this is %s.", spoken(kind))
	case *string:
		if kind == "text" {
			*place = string(body)
			return nil
		}
	}
	switch kind {
	case "binary":
		return Fail("InputError", "Bytes don't fit %s.", wanted(target))
	case "text":
		body, _ = json.Marshal(string(body))
	case "void":
		body = []byte("null")
	}
	return fits(json.Unmarshal(body, target))
}

func fits(err error) error {
	if err != nil {
		return Fail("InputError", "The input doesn't fit: %s.", err)
	}
	return nil
}

func spoken(kind string) string {
	if kind == "text" {
		return "text"
	}
	return "JSON"
}

func wanted(target any) string { return fmt.Sprintf("%T", target)[1:] }

// payload gives the content type and the bytes of a value.
func payload(value any) (string, []byte, error) {
	switch value := value.(type) {
	case []byte:
		return "binary", value, nil
	case string:
		if !utf8.ValidString(value) {
			return "", nil, notCarried{"The result holds text that isn't valid UTF-8."}
		}
		return "text", []byte(value), nil
	}
	var written bytes.Buffer
	encoder := json.NewEncoder(&written)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return "", nil, notCarried{fmt.Sprintf("The result can't be returned: %s.", err)}
	}
	return "json", bytes.TrimRight(written.Bytes(), "\n"), nil
}

// Package algorium is for algorithms: errors that reach the caller by their type, and calls of
// other algorithms, as the person who called this one.
//
//	greeting, err := algorium.Call[string]("alice/Hello/1.0.0", "Bob")
package algorium

import (
	"fmt"
	"time"
)

// Error reaches the caller with its type, such as "InputError", and its message.
type Error struct {
	Type, Message string
	trace         []string
}

func (e *Error) Error() string { return e.Message }

// Fail makes an error of a type; its message is put together as by fmt.Sprintf.
func Fail(kind, format string, arguments ...any) error {
	return &Error{kind, fmt.Sprintf(format, arguments...), frames(2)}
}

// CallError says why a nested call gave no result: Type is the error's type, such as "InputError".
type CallError struct {
	Type, Message string
}

func (e *CallError) Error() string { return e.Message }

// Call gives what "owner/name" or "owner/name/version" answers to an input. Input and result
// are what those of Apply can be.
func Call[T any](reference string, input any) (T, error) {
	return CallWithin[T](0, reference, input)
}

// CallWithin is Call with a time after which it fails.
func CallWithin[T any](limit time.Duration, reference string, input any) (T, error) {
	var result T
	kind, data, err := payload(input)
	if err != nil {
		return result, err
	}
	kind, data, err = wire.call(reference, kind, data, limit)
	if err != nil {
		return result, err
	}
	err = decode(kind, data, &result)
	return result, err
}

package algorium

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"runtime/debug"
	"strings"
)

var types = map[string]bool{
	"InputError": true, "UnsupportedError": true, "InitializationError": true,
	"OutOfMemoryError": true, "OutOfGpuMemoryError": true, "LanguageError": true,
	"TooLargeError": true, "ParsingError": true, "EntityNotFoundError": true,
	"ThirdPartyCredentialError": true, "AlgorithmError": true,
}

type failure struct {
	Type       string `json:"type"`
	Message    string `json:"message"`
	Stacktrace string `json:"stacktrace"`
}

// described tells of an error, or of whatever else was thrown, and where that was.
func described(thrown any, trace []string) failure {
	told := failure{Type: "AlgorithmError", Message: fmt.Sprint(thrown)}
	what := reflect.TypeOf(thrown).String()
	if err, ok := thrown.(error); ok {
		told.Message = err.Error()
		var ours *Error
		if errors.As(err, &ours) {
			trace = append(ours.trace[:len(ours.trace):len(ours.trace)], missing(trace, ours.trace)...)
			what = ours.Type
		}
		told.Type = typeOf(err)
	}
	told.Message = cut(strings.ToValidUTF8(told.Message, "\uFFFD"), 10_000)
	if len(trace) > 0 {
		told.Stacktrace = cut(what+": "+told.Message+"\n"+strings.Join(trace, "\n"), 20_000)
	}
	return told
}

// typeOf gives the first type of the contract that an error, or one that it wraps, is of.
func typeOf(err error) string {
	for ; err != nil; err = errors.Unwrap(err) {
		if ours, ok := err.(*Error); ok && types[ours.Type] {
			return ours.Type
		}
		kind := reflect.TypeOf(err)
		if kind.Kind() == reflect.Pointer {
			kind = kind.Elem()
		}
		if types[kind.Name()] {
			return kind.Name()
		}
	}
	return "AlgorithmError"
}

func missing(trace, among []string) []string {
	var found []string
	for _, line := range trace {
		if !strings.Contains(strings.Join(among, "\n"), strings.TrimSpace(line)) {
			found = append(found, line)
		}
	}
	return found
}

var module = func() string {
	if about, ok := debug.ReadBuildInfo(); ok && about.Main.Path != "" {
		return about.Main.Path + "/"
	}
	return ""
}()

// frames gives the author's own part of the way to where this is called.
func frames(skip int) []string {
	callers := make([]uintptr, 64)
	walk := runtime.CallersFrames(callers[:runtime.Callers(skip+1, callers)])
	var lines []string
	for {
		frame, more := walk.Next()
		if line := told(frame.Function, frame.File, frame.Line); line != "" {
			lines = append(lines, line)
		}
		if !more {
			return lines
		}
	}
}

// where gives the place of a function, for errors that were made without one.
func where(function reflect.Value) []string {
	found := runtime.FuncForPC(function.Pointer())
	file, line := found.FileLine(found.Entry())
	return []string{"    returned by" + strings.TrimPrefix(told(found.Name(), file, line), "    at")}
}

// told writes a frame; those of Go's own files, which no build gives a folder, are left out.
func told(function, file string, line int) string {
	mine := module != "" && strings.HasPrefix(file, module)
	first, _, _ := strings.Cut(file, "/")
	if !mine && !strings.Contains(first, ".") || strings.HasPrefix(file, module+"algorium_main/") {
		return ""
	}
	// "example.org/probe/src.(*Probe).read"
	_, name, _ := strings.Cut(function[strings.LastIndex(function, "/")+1:], ".")
	return fmt.Sprintf("    at %s (%s:%d)", name, strings.TrimPrefix(file, module), line)
}

func (f failure) bytes() []byte {
	data, _ := json.Marshal(f)
	return data
}

func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "")
}

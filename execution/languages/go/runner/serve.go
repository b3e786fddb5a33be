package algorium

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"strconv"
	"time"
)

const (
	mib     = 1 << 20
	forever = 1<<63 - 1
)

var (
	apply, load reflect.Value
	state       reflect.Value
	isError     = reflect.TypeOf((*error)(nil)).Elem()
)

// Before anything of the project's is run: what its packages do to get ready may fail, too.
func init() { wire.send(header{"kind": "hello"}, nil) }

// Register names the functions of an algorithm. The build writes the call of it.
func Register(applies, loads any) {
	apply = reflect.ValueOf(applies)
	if loads != nil {
		load = reflect.ValueOf(loads)
	}
}

// Serve runs the algorithm for as long as somebody asks. The build writes the call of it.
func Serve() {
	most, _ := strconv.Atoi(os.Args[2])
	os.Args = []string{"algorithm"}
	// With a timer about, Go doesn't end a program because all of it waits: the deadline does.
	time.AfterFunc(forever, func() {})
	start := wire.receive()
	wire.callsOthers, _ = start.header["calls_others"].(bool)
	if failed := begin(); failed != nil {
		wire.send(header{"kind": "failed"}, failed.bytes())
		os.Exit(0)
	}
	scratch := newScratch()
	before := runtime.NumGoroutine()
	wire.send(header{"kind": "loaded"}, nil)
	for {
		asked := wire.receive()
		reply, data := answer(asked, most)
		reply["id"] = asked.header["id"]
		reply["left"] = !settled(before) || !scratch.tidy()
		wire.send(reply, data)
	}
}

// begin looks whether the functions can be called, and loads what they need.
func begin() (failed *failure) {
	defer func() {
		if thrown := recover(); thrown != nil {
			told := described(thrown, frames(2))
			failed = &told
		}
	}()
	kind := apply.Type()
	if load.IsValid() {
		results, err := called(load, nil)
		if err != nil {
			told := described(err, where(load))
			return &told
		}
		if len(results) > 0 {
			state = results[0]
		}
	}
	fits := kind.NumIn() == 1 || kind.NumIn() == 2 && state.IsValid() && state.Type().AssignableTo(kind.In(1))
	if !fits || kind.IsVariadic() || kind.NumOut() > 2 {
		told := described(errors.New("Apply takes an input, and as a second argument what Load "+
			"returns; it returns a result, an error, or both."), where(apply))
		return &told
	}
	return nil
}

// called calls a function, and takes the error off what it returns.
func called(function reflect.Value, arguments []reflect.Value) ([]reflect.Value, error) {
	results := function.Call(arguments)
	last := len(results) - 1
	if last < 0 || results[last].Type() != isError {
		return results, nil
	}
	err, _ := results[last].Interface().(error)
	return results[:last], err
}

func answer(asked frame, most int) (reply header, data []byte) {
	defer func() {
		if thrown := recover(); thrown != nil {
			reply, data = header{"kind": "error"}, described(thrown, frames(2)).bytes()
		}
	}()
	input := reflect.New(apply.Type().In(0))
	kind, _ := asked.header["type"].(string)
	if err := decode(kind, asked.body, input.Interface()); err != nil {
		return header{"kind": "error"}, described(err, nil).bytes()
	}
	arguments := []reflect.Value{input.Elem(), state}[:apply.Type().NumIn()]
	results, err := called(apply, arguments)
	if err != nil {
		return header{"kind": "error"}, described(err, where(apply)).bytes()
	}
	var result any
	if len(results) > 0 {
		result = results[0].Interface()
	}
	kind, data, err = payload(result)
	if err != nil {
		return header{"kind": "error"}, failure{Type: "ParsingError", Message: err.Error()}.bytes()
	}
	if len(data) > most {
		message := fmt.Sprintf("The result has %.1f MiB; at most %g can be returned.",
			float64(len(data))/mib, float64(most)/mib)
		return header{"kind": "error"}, failure{Type: "TooLargeError", Message: message}.bytes()
	}
	return header{"kind": "result", "type": kind}, data
}

// settled tells whether nothing goes on that didn't before; what is about to end may do so.
func settled(before int) bool {
	for try := 0; runtime.NumGoroutine() > before; try++ {
		if try == 100 {
			return false
		}
		if try < 50 {
			runtime.Gosched()
		} else {
			time.Sleep(200 * time.Microsecond)
		}
	}
	return true
}

package main

import (
	"algorium"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"time"
)

type State struct{ runs int }

type InputError string

func (e InputError) Error() string { return string(e) }

func Load() (*State, error) {
	return &State{}, os.WriteFile("/tmp/kept", nil, 0o600)
}

func Apply(value any, state *State) (any, error) {
	state.runs++
	wish, _ := value.(map[string]any)
	switch wish["do"] {
	case "count":
		return state.runs, nil
	case "refuse":
		return nil, InputError("too small")
	case "fail":
		panic("out of luck")
	case "print":
		fmt.Println("one")
		fmt.Fprintln(os.Stderr, "two")
		return nil, nil
	case "write":
		_, err := os.Stdout.WriteString("straight")
		return nil, err
	case "bytes":
		return bytes.Repeat([]byte{0, 255}, int(wish["half"].(float64))), nil
	case "scratch":
		return scratch()
	case "status":
		text, err := os.ReadFile("/proc/self/status")
		return string(text), err
	case "leave":
		return nil, exec.Command("sleep", "60").Start()
	case "call":
		return algorium.CallWithin[any](5*time.Second, wish["name"].(string), wish["with"])
	case "exit":
		os.Exit(3)
	case "hang":
		select {}
	case "fill":
		return fill(), nil
	}
	return value, nil
}

func scratch() ([]string, error) {
	names := []string{}
	found, err := os.ReadDir("/tmp")
	for _, one := range found {
		names = append(names, one.Name())
	}
	if err == nil {
		err = os.MkdirAll("/tmp/left/deep", 0o700)
	}
	if err == nil {
		err = os.WriteFile("/tmp/left/deep/file", nil, 0o600)
	}
	return names, err
}

func fill() int {
	var held [][]byte
	for n := 0; n < 4096; n++ {
		held = append(held, bytes.Repeat([]byte{byte(n)}, 1<<20))
	}
	return len(held)
}

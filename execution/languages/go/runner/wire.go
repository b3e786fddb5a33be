package algorium

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"sync"
	"syscall"
	"time"
)

const number = 12 // the connection's, as confined.py has it

type header map[string]any

type frame struct {
	header header
	body   []byte
}

// connection carries frames, as execution/sandbox/wire.py has them.
type connection struct {
	writing     sync.Mutex
	asking      sync.Mutex
	calls       int
	answers     map[int]chan frame
	reading     chan struct{} // holds something while somebody reads
	callsOthers bool
}

var wire = &connection{answers: map[int]chan frame{}, reading: make(chan struct{}, 1)}

func (c *connection) send(head header, body []byte) {
	text, err := json.Marshal(head)
	if err != nil {
		panic(err)
	}
	data := make([]byte, 6, 6+len(text)+len(body))
	binary.BigEndian.PutUint32(data, uint32(2+len(text)+len(body)))
	binary.BigEndian.PutUint16(data[4:], uint16(len(text)))
	data = append(append(data, text...), body...)
	c.writing.Lock()
	defer c.writing.Unlock()
	for len(data) > 0 {
		count, err := syscall.Write(number, data)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			os.Exit(0)
		}
		data = data[count:]
	}
}

// receive waits for a frame.
func (c *connection) receive() frame {
	prefix := c.read(6)
	length, headLength := binary.BigEndian.Uint32(prefix), binary.BigEndian.Uint16(prefix[4:])
	var arrived frame
	if json.Unmarshal(c.read(int(headLength)), &arrived.header) != nil {
		os.Exit(0)
	}
	arrived.body = c.read(int(length) - 2 - int(headLength))
	return arrived
}

// await gives the answer of a call. Of all that wait, one reads, and hands on what is others'.
func (c *connection) await(mine chan frame) frame {
	for {
		select {
		case told := <-mine:
			return told
		case c.reading <- struct{}{}:
			if len(mine) == 0 {
				c.handOn(c.receive())
			}
			<-c.reading
		}
	}
}

func (c *connection) handOn(arrived frame) {
	id, _ := arrived.header["id"].(float64)
	c.asking.Lock()
	defer c.asking.Unlock()
	if waiting := c.answers[int(id)]; waiting != nil {
		delete(c.answers, int(id))
		waiting <- arrived
	}
}

func (c *connection) read(count int) []byte {
	data := make([]byte, count)
	for have := 0; have < count; {
		more, err := syscall.Read(number, data[have:])
		if err == syscall.EINTR {
			continue
		}
		if err != nil || more == 0 {
			os.Exit(0)
		}
		have += more
	}
	return data
}

func (c *connection) call(reference, kind string, data []byte, limit time.Duration) (string, []byte, error) {
	if !c.callsOthers {
		return "", nil, &CallError{"UnsupportedError",
			"This version wasn't published with the permission to call others."}
	}
	if len(data) > 16<<20 {
		return "", nil, &CallError{"TooLargeError", "The input is larger than allowed."}
	}
	answer := make(chan frame, 1)
	c.asking.Lock()
	c.calls++
	head := header{"kind": "call", "id": c.calls, "ref": reference, "type": kind, "timeout": nil}
	c.answers[c.calls] = answer
	c.asking.Unlock()
	if limit > 0 {
		head["timeout"] = limit.Seconds()
	}
	c.send(head, data)
	told := c.await(answer)
	if failed, _ := told.header["error"].(string); failed != "" {
		return "", nil, &CallError{failed, string(told.body)}
	}
	kind, _ = told.header["type"].(string)
	return kind, told.body, nil
}

package main

import (
	"encoding/json"
	"log"
	"os"
	"path/filepath"
	"time"

	"google.golang.org/grpc/status"
)

// call is a line of calls.jsonl, from which tests and benchmarks read what the driver itself took.
type call struct {
	Call     string    `json:"call"`
	Snapshot string    `json:"snapshot"`
	Volume   string    `json:"volume"`
	Begin    time.Time `json:"begin"`
	End      time.Time `json:"end"`
	Code     string    `json:"code"`
}

// note writes down a call that has ended.
func (s *store) note(name, snapshot, volume string, began time.Time, failure error) {
	line, err := json.Marshal(call{name, snapshot, volume, began.UTC(), time.Now().UTC(), status.Code(failure).String()})
	if err == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		err = appendLine(filepath.Join(s.dir, "calls.jsonl"), line)
	}
	if err != nil {
		log.Printf("cannot note a call: %v", err)
	}
}

func appendLine(path string, line []byte) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.Write(append(line, '\n'))
	return err
}

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// volume is one image file.
type volume struct {
	ID    string
	Size  int64 // bytes
	Block bool  // published as a device, without a file system
}

// snapshot is a copy of a volume's image file.
type snapshot struct {
	ID      string
	Volume  string
	Size    int64 // bytes
	Created time.Time
	Ready   time.Time // when volumes can be made from it
	Never   bool      // they never can
	Group   string    `json:",omitempty"` // the group snapshot that it is a member of
}

// store is the folder of image files and what is known about them (state.json). An entry is written
// after its file is whole, and is removed before its file goes: a crash leaves at most a file that
// the next call of the same name overwrites. What takes long, such as copying, is done under the lock of
// its volume, so that volumes do not wait for each other; mu is held for what is known only.
type store struct {
	mu    sync.Mutex
	locks map[string]*sync.Mutex // by volume; one is never removed
	dir   string

	Volumes   map[string]*volume
	Snapshots map[string]*snapshot
	Groups    map[string]*group
}

func openStore(dir string) (*store, error) {
	s := &store{dir: dir, locks: map[string]*sync.Mutex{}, Volumes: map[string]*volume{}, Snapshots: map[string]*snapshot{}, Groups: map[string]*group{}}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	state, err := os.ReadFile(s.statePath())
	if os.IsNotExist(err) {
		return s, nil
	}
	if err != nil {
		return nil, err
	}
	return s, json.Unmarshal(state, s)
}

// lock takes the lock of a volume, and returns what releases it.
func (s *store) lock(volume string) (unlock func()) {
	s.mu.Lock()
	lock := s.locks[volume]
	if lock == nil {
		lock = &sync.Mutex{}
		s.locks[volume] = lock
	}
	s.mu.Unlock()
	lock.Lock()
	return lock.Unlock
}

// volume is what is known of a volume; nil when there is none.
func (s *store) volume(id string) *volume {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Volumes[id]
}

// snapshot is what is known of a snapshot; nil when there is none.
func (s *store) snapshot(id string) *snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Snapshots[id]
}

// change changes what is known and writes it down.
func (s *store) change(change func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
	return s.save()
}

// save replaces state.json in one step.
func (s *store) save() error {
	state, err := json.MarshalIndent(s, "", " ")
	if err != nil {
		return err
	}
	next := s.statePath() + ".next"
	if err := os.WriteFile(next, state, 0o600); err != nil {
		return err
	}
	return os.Rename(next, s.statePath())
}

func (s *store) statePath() string             { return filepath.Join(s.dir, "state.json") }
func (s *store) volumePath(id string) string   { return filepath.Join(s.dir, "vol-"+id+".img") }
func (s *store) snapshotPath(id string) string { return filepath.Join(s.dir, "snap-"+id+".img") }

// idOf makes an id, which is also part of a file name, from the name that the caller chose. The same
// name gives the same id: that is what makes the calls idempotent.
func idOf(name string) string {
	return strings.NewReplacer("/", "-", " ", "-").Replace(name)
}

// copyImage copies an image; holes stay holes, and a file system that can shares the blocks.
func copyImage(from, to string) error {
	_, err := run("cp", "--sparse=always", "--reflink=auto", from, to)
	return err
}

// removeImage removes an image file; one that is gone already is as good.
func removeImage(path string) error {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}

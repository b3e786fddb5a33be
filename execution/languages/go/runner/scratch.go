package algorium

import (
	"os"
	"path/filepath"
	"syscall"
)

var scratchFolders = [2]string{"/tmp", "/dev/shm"}

// scratch is what the runs of a version leave in the scratch folders.
type scratch struct {
	kept map[string]bool
	seen [2]syscall.Timespec
}

func newScratch() *scratch {
	kept := map[string]bool{}
	for _, top := range scratchFolders {
		for _, place := range below(top) {
			kept[place] = true
		}
	}
	return &scratch{kept, changes()}
}

// tidy removes what the run left; it is false where some of it stays.
func (s *scratch) tidy() bool {
	if len(s.kept) == 0 && changes() == s.seen {
		return true
	}
	whole := true
	for _, top := range scratchFolders {
		for _, place := range below(top) {
			if !s.kept[place] && os.Remove(place) != nil {
				whole = false
			}
		}
	}
	s.seen = changes()
	return whole
}

// below gives every path in a folder, the deepest first.
func below(folder string) []string {
	var found []string
	entries, _ := os.ReadDir(folder)
	for _, entry := range entries {
		place := filepath.Join(folder, entry.Name())
		if entry.IsDir() {
			found = append(found, below(place)...)
		}
		found = append(found, place)
	}
	return found
}

func changes() (seen [2]syscall.Timespec) {
	for n, top := range scratchFolders {
		var about syscall.Stat_t
		if syscall.Stat(top, &about) == nil {
			seen[n] = about.Ctim
		}
	}
	return seen
}

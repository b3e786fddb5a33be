package algorium

import (
	"os"
	"path/filepath"
)

var scratchFolders = [2]string{"/tmp", "/dev/shm"}

// scratch is what the runs of a version leave in the scratch folders.
type scratch struct {
	kept map[string]bool
}

func newScratch() *scratch {
	kept := map[string]bool{}
	for _, top := range scratchFolders {
		for _, place := range below(top) {
			kept[place] = true
		}
	}
	return &scratch{kept}
}

// tidy removes what the run left; it is false where some of it stays.
func (s *scratch) tidy() bool {
	whole := true
	for _, top := range scratchFolders {
		for _, place := range below(top) {
			if !s.kept[place] && os.Remove(place) != nil {
				whole = false
			}
		}
	}
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

//go:build linux

package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Hosts with systemd need cgroups, the one thing that is the whole machine's
// and outlives its processes. Each lab keeps them in one folder at the top of
// the cgroup2 tree: the lab's process 1 removes it, then the process on the
// machine does, and what both left (killed in the same moment) the next lab.
const cgroupPrefix = "git-deploy-lab-"

func newCgroupID() string {
	return fmt.Sprintf("%s%d-%x", cgroupPrefix, os.Getpid(), time.Now().UnixNano())
}

// hostCgroup makes the cgroup of one host and returns its folder.
func hostCgroup(n int64) (string, error) {
	dir := filepath.Join(cgroupDir, os.Getenv(idEnv), fmt.Sprint("host", n))
	return dir, os.MkdirAll(dir, 0o755)
}

// cgroupMount is where the machine has cgroup2 mounted, or "".
func cgroupMount() string {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) > 2 && f[2] == "cgroup2" {
			return f[1]
		}
	}
	return ""
}

// removeCgroups removes the folder id below mount, once its processes are gone.
func removeCgroups(mount, id string) {
	dir := filepath.Join(mount, id)
	_ = Eventually(5*time.Second, func() error {
		_ = os.WriteFile(filepath.Join(dir, "cgroup.kill"), []byte("1"), 0)
		return removeCgroup(dir)
	})
}

// removeCgroup removes an empty cgroup and all below it; its files go with it.
func removeCgroup(dir string) error {
	entries, err := os.ReadDir(dir)
	if os.IsNotExist(err) {
		return nil
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeCgroup(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	if err := os.Remove(dir); err != nil && !os.IsNotExist(err) {
		return err
	}
	return nil
}

// sweepCgroups removes what labs left that were killed altogether.
func sweepCgroups(mount string) {
	stale, _ := filepath.Glob(filepath.Join(mount, cgroupPrefix+"*"))
	for _, dir := range stale {
		info, err := os.Stat(dir)
		events, err2 := os.ReadFile(filepath.Join(dir, "cgroup.events"))
		if err == nil && err2 == nil && time.Since(info.ModTime()) > time.Minute && strings.Contains(string(events), "populated 0") {
			_ = removeCgroup(dir)
		}
	}
}

package main

import (
	"errors"
	"os"
	"os/exec"
	"strings"

	"golang.org/x/sys/unix"
)

// Requests of ioctl_fsfreeze(2): _IOWR('X', 119, int) and _IOWR('X', 120, int), see linux/fs.h.
const (
	fiFreeze = 0xC0045877
	fiThaw   = 0xC0045878
)

// attached finds the loop device of an image; empty when it has none.
func attached(image string) (string, error) {
	devices, err := run("losetup", "-n", "-O", "NAME", "-j", image)
	first, _, _ := strings.Cut(devices, "\n")
	return strings.TrimSpace(first), err
}

// attach gives an image a loop device, or finds the one it has.
func attach(image string) (string, error) {
	if device, err := attached(image); err != nil || device != "" {
		return device, err
	}
	return run("losetup", "-f", "--show", image)
}

// detachUnused frees an image's loop device unless it is still mounted somewhere. While someone has
// it open the kernel waits with it, so that an error here is not an error of the caller's.
func detachUnused(image string) {
	device, _ := attached(image)
	if device != "" && mountPointOf(device) == "" && !boundSomewhere(device) {
		_ = exec.Command("losetup", "-d", device).Run()
	}
}

// freeze holds the writes to an image's file system, so that a copy of it is consistent, until the
// function that it returns is called; held says whether nothing is written to it meanwhile. One that
// somebody else has frozen stays so. A device without a file system that is used here is only flushed.
func freeze(image string) (thaw func(), held bool) {
	device, err := attached(image)
	if device == "" {
		return func() {}, err == nil
	}
	thaw, held = func() {}, !boundSomewhere(device)
	if mountPoint := mountPointOf(device); mountPoint != "" {
		root, err := os.Open(mountPoint)
		if err == nil {
			err = unix.IoctlSetInt(int(root.Fd()), fiFreeze, 0)
			thaw = func() {
				if err == nil {
					_ = unix.IoctlSetInt(int(root.Fd()), fiThaw, 0)
				}
				root.Close()
			}
		}
		held = err == nil || errors.Is(err, unix.EBUSY)
	}
	_ = exec.Command("blockdev", "--flushbufs", device).Run()
	return thaw, held
}

// mountPointOf is the first place where a device's file system is mounted; empty when it is not.
func mountPointOf(device string) string {
	mounts, _ := os.ReadFile("/proc/self/mounts")
	for _, line := range strings.Split(string(mounts), "\n") {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == device {
			return fields[1]
		}
	}
	return ""
}

// boundSomewhere tells whether a device's node is bind-mounted, as it is for a Block volume. In
// mountinfo such a mount has the node's path within devtmpfs as its root, as in "/loop3".
func boundSomewhere(device string) bool {
	node := strings.TrimPrefix(device, "/dev")
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	for _, line := range strings.Split(string(mounts), "\n") {
		if fields := strings.Fields(line); len(fields) > 3 && fields[3] == node {
			return true
		}
	}
	return false
}

// isMountPoint tells whether something is mounted at the path.
func isMountPoint(path string) bool {
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	for _, line := range strings.Split(string(mounts), "\n") {
		if fields := strings.Fields(line); len(fields) > 4 && fields[4] == path {
			return true
		}
	}
	return false
}

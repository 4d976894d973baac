package main

import (
	"context"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// faults are what a VolumeSnapshotClass or VolumeGroupSnapshotClass asks this driver to do badly, by its parameters.
type faults struct {
	cut   time.Duration // cutMillis: the call takes this long before the snapshot is cut
	ready time.Duration // readyMillis: volumes can be made from it only so long after
	never bool          // never=true: they never can
	fail  codes.Code    // failWith, a code of gRPC such as ResourceExhausted: no snapshot is made
}

// faultsOf reads the parameters of a class; what is not known is an error, so that a test does not pass for
// a misspelt fault.
func faultsOf(parameters map[string]string) (f faults, err error) {
	for name, value := range parameters {
		known := true
		switch name {
		case "cutMillis":
			f.cut, err = millis(value)
		case "readyMillis":
			f.ready, err = millis(value)
		case "never":
			f.never, err = strconv.ParseBool(value)
		case "failWith":
			f.fail, known = codeNamed(value)
		default:
			known = false
		}
		if err != nil || !known {
			return f, status.Errorf(codes.InvalidArgument, "class parameter %s=%s is not understood", name, value)
		}
	}
	return f, nil
}

// beforeCut is what happens to a call before its snapshot is cut.
func (f faults) beforeCut(ctx context.Context) error {
	select {
	case <-time.After(f.cut):
	case <-ctx.Done():
		return status.FromContextError(ctx.Err()).Err()
	}
	if f.fail != codes.OK {
		return status.Error(f.fail, "the storage takes no more snapshots")
	}
	return nil
}

func millis(text string) (time.Duration, error) {
	number, err := strconv.ParseUint(text, 10, 32)
	return time.Duration(number) * time.Millisecond, err
}

func codeNamed(name string) (codes.Code, bool) {
	for code := codes.Canceled; code <= codes.Unauthenticated; code++ {
		if code.String() == name {
			return code, true
		}
	}
	return codes.OK, false
}

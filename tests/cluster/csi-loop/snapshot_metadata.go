package main

import (
	"bytes"
	"io"
	"os"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const (
	// blockSize is the grain of what is reported, in bytes: ext4's own.
	blockSize = 4096
	// defaultRanges is how many ranges one message holds when the caller names no number.
	defaultRanges = 256
)

func (d *driver) GetMetadataAllocated(request *csi.GetMetadataAllocatedRequest, stream csi.SnapshotMetadata_GetMetadataAllocatedServer) error {
	return d.changedRanges("", request.SnapshotId, request.StartingOffset, request.MaxResults, func(size int64, ranges []*csi.BlockMetadata) error {
		return stream.Send(&csi.GetMetadataAllocatedResponse{
			BlockMetadataType: csi.BlockMetadataType_VARIABLE_LENGTH, VolumeCapacityBytes: size, BlockMetadata: ranges,
		})
	})
}

func (d *driver) GetMetadataDelta(request *csi.GetMetadataDeltaRequest, stream csi.SnapshotMetadata_GetMetadataDeltaServer) error {
	return d.changedRanges(request.BaseSnapshotId, request.TargetSnapshotId, request.StartingOffset, request.MaxResults, func(size int64, ranges []*csi.BlockMetadata) error {
		return stream.Send(&csi.GetMetadataDeltaResponse{
			BlockMetadataType: csi.BlockMetadataType_VARIABLE_LENGTH, VolumeCapacityBytes: size, BlockMetadata: ranges,
		})
	})
}

// changedRanges sends the ranges in which the target differs from the base, or from zeros when there
// is no base, in ascending order and at most perMessage at a time. The last message may be empty.
func (d *driver) changedRanges(base, target string, from int64, perMessage int32, send func(int64, []*csi.BlockMetadata) error) error {
	t, b := d.store.snapshot(target), d.store.snapshot(base)
	switch {
	case t == nil:
		return status.Error(codes.NotFound, "no snapshot "+target)
	case base != "" && b == nil:
		return status.Error(codes.NotFound, "no snapshot "+base)
	case b != nil && b.Volume != t.Volume:
		return status.Error(codes.InvalidArgument, "the snapshots are of different volumes")
	case from < 0 || from >= t.Size:
		return status.Errorf(codes.OutOfRange, "starting_offset %d is outside of the volume's %d bytes", from, t.Size)
	}
	if perMessage <= 0 {
		perMessage = defaultRanges
	}

	targetFile, err := os.Open(d.store.snapshotPath(target))
	if err != nil {
		return err
	}
	defer targetFile.Close()
	var baseFile io.ReaderAt = zeros{}
	if b != nil {
		file, err := os.Open(d.store.snapshotPath(base))
		if err != nil {
			return err
		}
		defer file.Close()
		baseFile = file
	}

	var ranges []*csi.BlockMetadata
	now, before := make([]byte, blockSize), make([]byte, blockSize)
	for offset := from - from%blockSize; offset < t.Size; offset += blockSize {
		if err := readBlock(targetFile, now, offset); err != nil {
			return err
		}
		if err := readBlock(baseFile, before, offset); err != nil {
			return err
		}
		if bytes.Equal(now, before) {
			continue
		}
		if last := len(ranges) - 1; last >= 0 && ranges[last].ByteOffset+ranges[last].SizeBytes == offset {
			ranges[last].SizeBytes += blockSize
			continue
		}
		if len(ranges) == int(perMessage) {
			if err := send(t.Size, ranges); err != nil {
				return err
			}
			ranges = nil
		}
		ranges = append(ranges, &csi.BlockMetadata{ByteOffset: offset, SizeBytes: blockSize})
	}
	return send(t.Size, ranges)
}

// readBlock fills a block; what lies beyond the end of the file is zero.
func readBlock(file io.ReaderAt, block []byte, offset int64) error {
	n, err := file.ReadAt(block, offset)
	if err == io.EOF {
		err = nil
	}
	clear(block[n:])
	return err
}

// zeros is the base of a snapshot that is compared with nothing.
type zeros struct{}

func (zeros) ReadAt(block []byte, _ int64) (int, error) {
	clear(block)
	return len(block), nil
}

package main

import (
	"context"
	"sort"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func (d *driver) CreateSnapshot(ctx context.Context, request *csi.CreateSnapshotRequest) (response *csi.CreateSnapshotResponse, err error) {
	id, from := idOf(request.Name), request.SourceVolumeId
	called := time.Now()
	defer func() { d.store.note("CreateSnapshot", id, from, called, err) }()

	faults, err := faultsOf(request.Parameters)
	if err != nil {
		return nil, err
	}
	if sn := d.store.snapshot(id); sn == nil {
		// Not under the volume's lock: what waits here must not keep its pod from ending.
		if err := faults.beforeCut(ctx); err != nil {
			return nil, err
		}
	}
	defer d.store.lock(from)()
	if sn := d.store.snapshot(id); sn != nil {
		if sn.Volume != from {
			return nil, status.Errorf(codes.AlreadyExists, "snapshot %s is of volume %s", id, sn.Volume)
		}
		return &csi.CreateSnapshotResponse{Snapshot: sn.message()}, nil
	}
	v := d.store.volume(from)
	if v == nil {
		return nil, status.Error(codes.NotFound, "no volume "+from)
	}
	sn := &snapshot{ID: id, Volume: v.ID, Size: v.Size, Created: time.Now(), Never: faults.never}
	thaw, _ := freeze(d.store.volumePath(v.ID))
	err = copyImage(d.store.volumePath(v.ID), d.store.snapshotPath(id))
	thaw()
	if err != nil {
		return nil, err
	}
	sn.Ready = time.Now().Add(faults.ready)
	err = d.store.change(func() { d.store.Snapshots[id] = sn })
	return &csi.CreateSnapshotResponse{Snapshot: sn.message()}, err
}

func (d *driver) DeleteSnapshot(_ context.Context, request *csi.DeleteSnapshotRequest) (response *csi.DeleteSnapshotResponse, err error) {
	id, called := request.SnapshotId, time.Now()
	sn := d.store.snapshot(id)
	if sn == nil {
		return &csi.DeleteSnapshotResponse{}, nil
	}
	defer func() { d.store.note("DeleteSnapshot", id, sn.Volume, called, err) }()
	if sn.Group != "" {
		return nil, status.Errorf(codes.InvalidArgument, "snapshot %s goes with its group %s only", id, sn.Group)
	}
	defer d.store.lock(sn.Volume)()
	if err := d.store.change(func() { delete(d.store.Snapshots, id) }); err != nil {
		return nil, err
	}
	return &csi.DeleteSnapshotResponse{}, removeImage(d.store.snapshotPath(id))
}

func (d *driver) ListSnapshots(_ context.Context, request *csi.ListSnapshotsRequest) (*csi.ListSnapshotsResponse, error) {
	d.store.mu.Lock()
	defer d.store.mu.Unlock()
	response := &csi.ListSnapshotsResponse{}
	for _, sn := range d.store.Snapshots {
		if (request.SnapshotId == "" || request.SnapshotId == sn.ID) &&
			(request.SourceVolumeId == "" || request.SourceVolumeId == sn.Volume) {
			response.Entries = append(response.Entries, &csi.ListSnapshotsResponse_Entry{Snapshot: sn.message()})
		}
	}
	sort.Slice(response.Entries, func(a, b int) bool {
		return response.Entries[a].Snapshot.SnapshotId < response.Entries[b].Snapshot.SnapshotId
	})
	return response, nil
}

func (sn *snapshot) message() *csi.Snapshot {
	return &csi.Snapshot{
		SnapshotId:      sn.ID,
		SourceVolumeId:  sn.Volume,
		SizeBytes:       sn.Size,
		CreationTime:    timestamppb.New(sn.Created),
		ReadyToUse:      sn.isReady(),
		GroupSnapshotId: sn.Group,
	}
}

// isReady tells whether volumes can be made from it.
func (sn *snapshot) isReady() bool {
	return !sn.Never && !time.Now().Before(sn.Ready)
}

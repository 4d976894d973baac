package main

import (
	"context"
	"os"
	"sort"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// defaultSize is the size of a volume whose claim names none.
const defaultSize = 64 << 20

func (d *driver) ControllerGetCapabilities(context.Context, *csi.ControllerGetCapabilitiesRequest) (*csi.ControllerGetCapabilitiesResponse, error) {
	response := &csi.ControllerGetCapabilitiesResponse{}
	for _, capability := range []csi.ControllerServiceCapability_RPC_Type{
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_VOLUME,
		csi.ControllerServiceCapability_RPC_CREATE_DELETE_SNAPSHOT,
		csi.ControllerServiceCapability_RPC_LIST_SNAPSHOTS,
		csi.ControllerServiceCapability_RPC_CLONE_VOLUME,
		csi.ControllerServiceCapability_RPC_SINGLE_NODE_MULTI_WRITER,
	} {
		response.Capabilities = append(response.Capabilities, &csi.ControllerServiceCapability{
			Type: &csi.ControllerServiceCapability_Rpc{Rpc: &csi.ControllerServiceCapability_RPC{Type: capability}},
		})
	}
	return response, nil
}

func (d *driver) CreateVolume(_ context.Context, request *csi.CreateVolumeRequest) (*csi.CreateVolumeResponse, error) {
	d.store.mu.Lock()
	defer d.store.mu.Unlock()

	id, size := idOf(request.Name), request.GetCapacityRange().GetRequiredBytes()
	if size == 0 {
		size = defaultSize
	}
	v := d.store.Volumes[id]
	if v != nil && v.Size < size {
		return nil, status.Errorf(codes.AlreadyExists, "volume %s exists and has %d bytes, not %d", id, v.Size, size)
	}
	if v == nil {
		source, sourceSize, err := d.store.contentSource(request.GetVolumeContentSource())
		if err != nil {
			return nil, err
		}
		v = &volume{ID: id, Size: max(size, sourceSize), Block: wantsBlock(request.GetVolumeCapabilities())}
		if err := d.store.makeImage(v, source); err != nil {
			return nil, err
		}
		d.store.Volumes[id] = v
		if err := d.store.save(); err != nil {
			return nil, err
		}
	}
	return &csi.CreateVolumeResponse{Volume: &csi.Volume{
		VolumeId:           v.ID,
		CapacityBytes:      v.Size,
		ContentSource:      request.VolumeContentSource,
		AccessibleTopology: []*csi.Topology{d.topology()},
	}}, nil
}

// contentSource finds the image that a new volume starts from: none, a snapshot's or a volume's.
func (s *store) contentSource(source *csi.VolumeContentSource) (path string, size int64, err error) {
	if from := source.GetSnapshot(); from != nil {
		if sn := s.Snapshots[from.SnapshotId]; sn != nil {
			return s.snapshotPath(sn.ID), sn.Size, nil
		}
		return "", 0, status.Error(codes.NotFound, "no snapshot "+from.SnapshotId)
	}
	if from := source.GetVolume(); from != nil {
		if v := s.Volumes[from.VolumeId]; v != nil {
			return s.volumePath(v.ID), v.Size, nil
		}
		return "", 0, status.Error(codes.NotFound, "no volume "+from.VolumeId)
	}
	return "", 0, nil
}

// makeImage makes a volume's file: a copy of the source, or zeros with a new file system. What an
// interrupted call left under the name is replaced.
func (s *store) makeImage(v *volume, source string) error {
	path := s.volumePath(v.ID)
	if err := removeImage(path); err != nil {
		return err
	}
	if source != "" {
		if err := copyImage(source, path); err != nil {
			return err
		}
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	err = file.Truncate(v.Size)
	file.Close()
	if err != nil || source != "" || v.Block {
		return err
	}
	_, err = run("mkfs.ext4", "-q", "-F", "-m0", "-E", "lazy_itable_init=1,lazy_journal_init=1", path)
	return err
}

func wantsBlock(capabilities []*csi.VolumeCapability) bool {
	for _, c := range capabilities {
		if c.GetBlock() != nil {
			return true
		}
	}
	return false
}

func (d *driver) DeleteVolume(_ context.Context, request *csi.DeleteVolumeRequest) (*csi.DeleteVolumeResponse, error) {
	d.store.mu.Lock()
	defer d.store.mu.Unlock()
	if d.store.Volumes[request.VolumeId] == nil {
		return &csi.DeleteVolumeResponse{}, nil
	}
	delete(d.store.Volumes, request.VolumeId)
	if err := d.store.save(); err != nil {
		return nil, err
	}
	return &csi.DeleteVolumeResponse{}, removeImage(d.store.volumePath(request.VolumeId))
}

func (d *driver) ValidateVolumeCapabilities(_ context.Context, request *csi.ValidateVolumeCapabilitiesRequest) (*csi.ValidateVolumeCapabilitiesResponse, error) {
	return &csi.ValidateVolumeCapabilitiesResponse{
		Confirmed: &csi.ValidateVolumeCapabilitiesResponse_Confirmed{VolumeCapabilities: request.VolumeCapabilities},
	}, nil
}

func (d *driver) CreateSnapshot(_ context.Context, request *csi.CreateSnapshotRequest) (*csi.CreateSnapshotResponse, error) {
	d.store.mu.Lock()
	defer d.store.mu.Unlock()

	id := idOf(request.Name)
	if sn := d.store.Snapshots[id]; sn != nil {
		if sn.Volume != request.SourceVolumeId {
			return nil, status.Errorf(codes.AlreadyExists, "snapshot %s is of volume %s", id, sn.Volume)
		}
		return &csi.CreateSnapshotResponse{Snapshot: sn.message()}, nil
	}
	v := d.store.Volumes[request.SourceVolumeId]
	if v == nil {
		return nil, status.Error(codes.NotFound, "no volume "+request.SourceVolumeId)
	}
	sn := &snapshot{ID: id, Volume: v.ID, Size: v.Size, Created: time.Now()}
	thaw := freeze(d.store.volumePath(v.ID))
	err := copyImage(d.store.volumePath(v.ID), d.store.snapshotPath(id))
	thaw()
	if err != nil {
		return nil, err
	}
	d.store.Snapshots[id] = sn
	return &csi.CreateSnapshotResponse{Snapshot: sn.message()}, d.store.save()
}

func (d *driver) DeleteSnapshot(_ context.Context, request *csi.DeleteSnapshotRequest) (*csi.DeleteSnapshotResponse, error) {
	d.store.mu.Lock()
	defer d.store.mu.Unlock()
	if d.store.Snapshots[request.SnapshotId] == nil {
		return &csi.DeleteSnapshotResponse{}, nil
	}
	delete(d.store.Snapshots, request.SnapshotId)
	if err := d.store.save(); err != nil {
		return nil, err
	}
	return &csi.DeleteSnapshotResponse{}, removeImage(d.store.snapshotPath(request.SnapshotId))
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
		SnapshotId:     sn.ID,
		SourceVolumeId: sn.Volume,
		SizeBytes:      sn.Size,
		CreationTime:   timestamppb.New(sn.Created),
		ReadyToUse:     true,
	}
}

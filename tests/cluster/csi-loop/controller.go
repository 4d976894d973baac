package main

import (
	"context"
	"os"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
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
	id, size := idOf(request.Name), request.GetCapacityRange().GetRequiredBytes()
	if size == 0 {
		size = defaultSize
	}
	defer d.store.lock(id)()
	v := d.store.volume(id)
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
		if err := d.store.change(func() { d.store.Volumes[id] = v }); err != nil {
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
		if sn := s.snapshot(from.SnapshotId); sn != nil {
			if !sn.isReady() {
				return "", 0, status.Error(codes.Unavailable, "not ready yet: snapshot "+sn.ID)
			}
			return s.snapshotPath(sn.ID), sn.Size, nil
		}
		return "", 0, status.Error(codes.NotFound, "no snapshot "+from.SnapshotId)
	}
	if from := source.GetVolume(); from != nil {
		if v := s.volume(from.VolumeId); v != nil {
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
	defer d.store.lock(request.VolumeId)()
	if d.store.volume(request.VolumeId) == nil {
		return &csi.DeleteVolumeResponse{}, nil
	}
	if err := d.store.change(func() { delete(d.store.Volumes, request.VolumeId) }); err != nil {
		return nil, err
	}
	return &csi.DeleteVolumeResponse{}, removeImage(d.store.volumePath(request.VolumeId))
}

func (d *driver) ValidateVolumeCapabilities(_ context.Context, request *csi.ValidateVolumeCapabilitiesRequest) (*csi.ValidateVolumeCapabilitiesResponse, error) {
	return &csi.ValidateVolumeCapabilitiesResponse{
		Confirmed: &csi.ValidateVolumeCapabilitiesResponse_Confirmed{VolumeCapabilities: request.VolumeCapabilities},
	}, nil
}

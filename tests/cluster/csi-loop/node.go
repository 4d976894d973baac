package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

func (d *driver) NodeGetCapabilities(context.Context, *csi.NodeGetCapabilitiesRequest) (*csi.NodeGetCapabilitiesResponse, error) {
	return &csi.NodeGetCapabilitiesResponse{Capabilities: []*csi.NodeServiceCapability{{
		Type: &csi.NodeServiceCapability_Rpc{Rpc: &csi.NodeServiceCapability_RPC{
			Type: csi.NodeServiceCapability_RPC_SINGLE_NODE_MULTI_WRITER,
		}},
	}}}, nil
}

func (d *driver) NodeGetInfo(context.Context, *csi.NodeGetInfoRequest) (*csi.NodeGetInfoResponse, error) {
	return &csi.NodeGetInfoResponse{NodeId: d.node, AccessibleTopology: d.topology()}, nil
}

func (d *driver) NodePublishVolume(_ context.Context, request *csi.NodePublishVolumeRequest) (*csi.NodePublishVolumeResponse, error) {
	defer d.store.lock(request.VolumeId)()
	v := d.store.volume(request.VolumeId)
	if v == nil {
		return nil, status.Error(codes.NotFound, "no volume "+request.VolumeId)
	}
	if isMountPoint(request.TargetPath) {
		return &csi.NodePublishVolumeResponse{}, nil
	}
	device, err := attach(d.store.volumePath(v.ID))
	if err != nil {
		return nil, err
	}
	if request.GetVolumeCapability().GetBlock() != nil {
		err = publishDevice(device, request.TargetPath)
	} else {
		err = publishFileSystem(device, request.TargetPath, request.Readonly)
	}
	return &csi.NodePublishVolumeResponse{}, err
}

func publishDevice(device, target string) error {
	if err := os.MkdirAll(filepath.Dir(target), 0o750); err != nil {
		return err
	}
	file, err := os.OpenFile(target, os.O_CREATE|os.O_RDWR, 0o660)
	if err != nil {
		return err
	}
	file.Close()
	_, err = run("mount", "--bind", device, target)
	return err
}

func publishFileSystem(device, target string, readOnly bool) error {
	if err := os.MkdirAll(target, 0o750); err != nil {
		return err
	}
	mode := "rw"
	if readOnly {
		mode = "ro"
	}
	if _, err := run("mount", "-t", "ext4", "-o", mode, device, target); err != nil {
		return err
	}
	// A volume larger than the snapshot that it was made from: the file system fills it. It is as
	// usable when this fails, only smaller.
	if !readOnly {
		_ = exec.Command("resize2fs", device).Run()
	}
	return nil
}

func (d *driver) NodeUnpublishVolume(_ context.Context, request *csi.NodeUnpublishVolumeRequest) (*csi.NodeUnpublishVolumeResponse, error) {
	defer d.store.lock(request.VolumeId)()
	if isMountPoint(request.TargetPath) {
		if _, err := run("umount", request.TargetPath); err != nil {
			return nil, err
		}
	}
	if err := os.Remove(request.TargetPath); err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	detachUnused(d.store.volumePath(request.VolumeId))
	return &csi.NodeUnpublishVolumeResponse{}, nil
}

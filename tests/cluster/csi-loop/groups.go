package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// group is a group snapshot: snapshots of several volumes that hold one instant.
type group struct {
	ID        string
	Snapshots []string // ids, in the order of their volumes' ids
	Created   time.Time
}

func (d *driver) GroupControllerGetCapabilities(context.Context, *csi.GroupControllerGetCapabilitiesRequest) (*csi.GroupControllerGetCapabilitiesResponse, error) {
	return &csi.GroupControllerGetCapabilitiesResponse{Capabilities: []*csi.GroupControllerServiceCapability{{
		Type: &csi.GroupControllerServiceCapability_Rpc{Rpc: &csi.GroupControllerServiceCapability_RPC{
			Type: csi.GroupControllerServiceCapability_RPC_CREATE_DELETE_GET_VOLUME_GROUP_SNAPSHOT,
		}},
	}}}, nil
}

// CreateVolumeGroupSnapshot holds the writes to all volumes before it copies the first, and lets them go
// after the last. A volume whose writes cannot be held, such as a raw device that a pod has, is refused: the
// specification allows no group without that guarantee.
func (d *driver) CreateVolumeGroupSnapshot(ctx context.Context, request *csi.CreateVolumeGroupSnapshotRequest) (response *csi.CreateVolumeGroupSnapshotResponse, err error) {
	id, volumes := idOf(request.Name), slices.Sorted(slices.Values(request.SourceVolumeIds))
	called := time.Now()
	defer func() { d.store.note("CreateVolumeGroupSnapshot", id, strings.Join(volumes, ","), called, err) }()

	faults, err := faultsOf(request.Parameters)
	if err != nil {
		return nil, err
	}
	if g, _ := d.store.group(id); g == nil {
		// Not under the volumes' locks, as with a single one.
		if err := faults.beforeCut(ctx); err != nil {
			return nil, err
		}
	}
	// In the order of their ids, so that two calls never wait for each other.
	for _, volume := range volumes {
		defer d.store.lock(volume)()
	}
	if g, members := d.store.group(id); g != nil {
		if !slices.EqualFunc(members, volumes, func(sn *snapshot, volume string) bool { return sn.Volume == volume }) {
			return nil, status.Errorf(codes.AlreadyExists, "group snapshot %s is of other volumes", id)
		}
		return &csi.CreateVolumeGroupSnapshotResponse{GroupSnapshot: g.message(members)}, nil
	}
	members, err := d.store.cutTogether(id, volumes, faults)
	if err != nil {
		return nil, err
	}
	g := &group{ID: id, Created: members[0].Created}
	for _, member := range members {
		g.Snapshots = append(g.Snapshots, member.ID)
	}
	err = d.store.change(func() {
		d.store.Groups[id] = g
		for _, member := range members {
			d.store.Snapshots[member.ID] = member
		}
	})
	return &csi.CreateVolumeGroupSnapshotResponse{GroupSnapshot: g.message(members)}, err
}

// cutTogether copies volumes while nothing is written to any of them.
func (s *store) cutTogether(id string, volumes []string, faults faults) ([]*snapshot, error) {
	members := make([]*snapshot, len(volumes))
	for at, from := range volumes {
		v := s.volume(from)
		if v == nil {
			return nil, status.Error(codes.NotFound, "no volume "+from)
		}
		members[at] = &snapshot{ID: id + "-" + v.ID, Group: id, Volume: v.ID, Size: v.Size, Never: faults.never}
	}
	if len(members) == 0 {
		return nil, status.Error(codes.InvalidArgument, "a group of no volumes")
	}
	for _, member := range members {
		thaw, held := freeze(s.volumePath(member.Volume))
		defer thaw()
		if !held {
			return nil, status.Error(codes.FailedPrecondition, "writes to this volume cannot be held: "+member.Volume)
		}
	}
	cut := time.Now()
	for _, member := range members {
		if err := copyImage(s.volumePath(member.Volume), s.snapshotPath(member.ID)); err != nil {
			return nil, err
		}
	}
	for _, member := range members {
		member.Created, member.Ready = cut, time.Now().Add(faults.ready)
	}
	return members, nil
}

func (d *driver) DeleteVolumeGroupSnapshot(_ context.Context, request *csi.DeleteVolumeGroupSnapshotRequest) (response *csi.DeleteVolumeGroupSnapshotResponse, err error) {
	id, called := request.GroupSnapshotId, time.Now()
	g, members := d.store.group(id)
	if g == nil {
		return &csi.DeleteVolumeGroupSnapshotResponse{}, nil
	}
	defer func() { d.store.note("DeleteVolumeGroupSnapshot", id, "", called, err) }()
	if err := g.check(request.SnapshotIds); err != nil {
		return nil, err
	}
	for _, member := range members {
		defer d.store.lock(member.Volume)()
	}
	err = d.store.change(func() {
		delete(d.store.Groups, id)
		for _, member := range members {
			delete(d.store.Snapshots, member.ID)
		}
	})
	for _, member := range members {
		if err == nil {
			err = removeImage(d.store.snapshotPath(member.ID))
		}
	}
	return &csi.DeleteVolumeGroupSnapshotResponse{}, err
}

func (d *driver) GetVolumeGroupSnapshot(_ context.Context, request *csi.GetVolumeGroupSnapshotRequest) (*csi.GetVolumeGroupSnapshotResponse, error) {
	g, members := d.store.group(request.GroupSnapshotId)
	if g == nil {
		return nil, status.Error(codes.NotFound, "no group snapshot "+request.GroupSnapshotId)
	}
	if err := g.check(request.SnapshotIds); err != nil {
		return nil, err
	}
	return &csi.GetVolumeGroupSnapshotResponse{GroupSnapshot: g.message(members)}, nil
}

// group is what is known of a group snapshot and its members; nil when there is none.
func (s *store) group(id string) (*group, []*snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.Groups[id]
	if g == nil {
		return nil, nil
	}
	var members []*snapshot
	for _, member := range g.Snapshots {
		members = append(members, s.Snapshots[member])
	}
	return g, members
}

// check refuses a list of members that is not the group's.
func (g *group) check(snapshots []string) error {
	if !slices.Equal(slices.Sorted(slices.Values(snapshots)), slices.Sorted(slices.Values(g.Snapshots))) {
		return status.Errorf(codes.InvalidArgument, "group snapshot %s has other snapshots: %v", g.ID, g.Snapshots)
	}
	return nil
}

func (g *group) message(members []*snapshot) *csi.VolumeGroupSnapshot {
	message := &csi.VolumeGroupSnapshot{GroupSnapshotId: g.ID, CreationTime: timestamppb.New(g.Created), ReadyToUse: true}
	for _, member := range members {
		message.Snapshots = append(message.Snapshots, member.message())
		message.ReadyToUse = message.ReadyToUse && member.isReady()
	}
	return message
}

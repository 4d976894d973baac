//go:build tools

// Package cluster pins the Kubernetes CSI sidecars, which are built as they are: the blank imports
// keep their modules, and those of all they need, in go.mod and go.sum.
package cluster

import (
	_ "github.com/kubernetes-csi/external-provisioner/v6/cmd/csi-provisioner"
	_ "github.com/kubernetes-csi/external-snapshotter/v8/cmd/csi-snapshotter"
	_ "github.com/kubernetes-csi/external-snapshotter/v8/cmd/snapshot-controller"
)

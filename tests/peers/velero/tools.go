//go:build tools

// Package velero pins the programs of Velero that `cargo xtask bench resources --peer velero` builds.
package velero

import (
	_ "github.com/vmware-tanzu/velero-plugin-for-aws/velero-plugin-for-aws"
	_ "github.com/vmware-tanzu/velero/cmd/velero"
)

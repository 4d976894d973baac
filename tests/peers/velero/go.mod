module strongroom.example/peers/velero

go 1.26.0

// Velero's own replacements, which a main module has to repeat, and one that it needs beside newer
// modules of Kubernetes.
replace github.com/kopia/kopia => github.com/project-velero/kopia v0.0.0-20251230033609-d946b1e75197

replace k8s.io/cli-runtime => k8s.io/cli-runtime v0.33.4

require (
	github.com/vmware-tanzu/velero v1.18.3
	github.com/vmware-tanzu/velero-plugin-for-aws v1.14.3
)

// Command csi-loop is the CSI driver of the test cluster: volumes are sparse image files in one
// folder, published through loop devices. One node, no attach step.
//
// It serves file systems (ext4) and raw blocks, snapshots, group snapshots (groups.go), restore from a
// snapshot, clones, and the SnapshotMetadata service (allocated and changed blocks). It registers itself with
// the kubelet, so that no node-driver-registrar is needed. Volumes cannot be resized. A VolumeSnapshotClass
// or VolumeGroupSnapshotClass can ask for faults (faults.go), and the calls for snapshots are noted in
// calls.jsonl (calls.go).
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// driver answers every CSI service; the services' methods stand in the file named after each.
type driver struct {
	csi.UnimplementedIdentityServer
	csi.UnimplementedControllerServer
	csi.UnimplementedGroupControllerServer
	csi.UnimplementedNodeServer
	csi.UnimplementedSnapshotMetadataServer

	name     string // as in the CSIDriver object and in StorageClass.provisioner
	node     string // the one node's name
	endpoint string // path of the CSI socket
	store    *store
}

// topology says that a volume can be reached from this node only.
func (d *driver) topology() *csi.Topology {
	return &csi.Topology{Segments: map[string]string{"topology." + d.name + "/node": d.node}}
}

func main() {
	d := &driver{}
	flag.StringVar(&d.name, "name", "loop.csi.local", "driver name")
	flag.StringVar(&d.node, "node", "node1", "node name")
	flag.StringVar(&d.endpoint, "endpoint", "/var/lib/kubelet/plugins/loop.csi.local/csi.sock", "CSI socket")
	dir := flag.String("dir", "/var/lib/csi-loop", "folder of the image files")
	registry := flag.String("registration", "/var/lib/kubelet/plugins_registry", "the kubelet's plugin registry")
	flag.Parse()

	var err error
	if d.store, err = openStore(*dir); err != nil {
		log.Fatalf("cannot open the volumes in %s: %v", *dir, err)
	}

	server := grpc.NewServer(grpc.UnaryInterceptor(logCall))
	csi.RegisterIdentityServer(server, d)
	csi.RegisterControllerServer(server, d)
	csi.RegisterGroupControllerServer(server, d)
	csi.RegisterNodeServer(server, d)
	csi.RegisterSnapshotMetadataServer(server, d)
	go serve(server, d.endpoint)
	go serve(d.registrationServer(), filepath.Join(*registry, d.name+"-reg.sock"))
	fmt.Println("serving", d.endpoint)

	ended := make(chan os.Signal, 1)
	signal.Notify(ended, os.Interrupt, syscall.SIGTERM)
	<-ended
}

// serve listens on a unix socket, in place of one that an earlier process left there.
func serve(server *grpc.Server, socket string) {
	if err := os.MkdirAll(filepath.Dir(socket), 0o755); err != nil {
		log.Fatal(err)
	}
	if err := os.Remove(socket); err != nil && !os.IsNotExist(err) {
		log.Fatal(err)
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(server.Serve(listener))
}

// logCall logs each call but the probes, which come every few seconds.
func logCall(ctx context.Context, request any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	response, err := handle(ctx, request)
	if !strings.HasSuffix(info.FullMethod, "/Probe") {
		log.Printf("%s %v -> %v", info.FullMethod, request, err)
	}
	return response, err
}

// run runs a tool; its output is part of the error.
func run(name string, args ...string) (string, error) {
	output, err := exec.Command(name, args...).CombinedOutput()
	text := strings.TrimSpace(string(output))
	if err != nil {
		return text, status.Errorf(codes.Internal, "%s %s: %v: %s", name, strings.Join(args, " "), err, text)
	}
	return text, nil
}

package main

import (
	"context"
	"log"

	"google.golang.org/grpc"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"
)

// registrar tells the kubelet, which watches its plugin registry for sockets, where the driver is.
type registrar struct {
	registration.UnimplementedRegistrationServer
	driver *driver
}

func (d *driver) registrationServer() *grpc.Server {
	server := grpc.NewServer()
	registration.RegisterRegistrationServer(server, &registrar{driver: d})
	return server
}

func (r *registrar) GetInfo(context.Context, *registration.InfoRequest) (*registration.PluginInfo, error) {
	return &registration.PluginInfo{
		Type:              registration.CSIPlugin,
		Name:              r.driver.name,
		Endpoint:          r.driver.endpoint,
		SupportedVersions: []string{"1.0.0"},
	}, nil
}

func (r *registrar) NotifyRegistrationStatus(_ context.Context, result *registration.RegistrationStatus) (*registration.RegistrationStatusResponse, error) {
	log.Printf("registration with the kubelet: registered=%v %s", result.PluginRegistered, result.Error)
	return &registration.RegistrationStatusResponse{}, nil
}

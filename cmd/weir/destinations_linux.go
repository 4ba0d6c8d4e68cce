package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"weir/deliver"
	"weir/deliver/firehose"
	"weir/deliver/logs"
	"weir/deliver/s3"
	"weir/flowlog"
	"weir/vpc/declare"
	"weir/vpc/flowlogs"
)

// destinations make what flow logs deliver to. Services are opened once, when the
// first flow log needs them.
type destinations struct {
	settings  declare.Settings
	buckets   string // directory of the local buckets
	journalID string
	region    string // of the flow logs: a log group is of the same

	s3       lazily[*s3.Endpoint]
	logs     lazily[*logs.Endpoint]
	firehose lazily[*firehose.Endpoint]
}

// lazily is something that is opened when it is needed first. An error is not
// kept: the next one tries again.
type lazily[T any] struct {
	mu   sync.Mutex
	made bool
	it   T
}

func (l *lazily[T]) open(open func() (T, error)) (T, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.made {
		return l.it, nil
	}
	it, err := open()
	if err == nil {
		l.it, l.made = it, true
	}
	return it, err
}

// remote reports whether buckets are behind an endpoint.
func (d *destinations) remote() bool { return d.settings.S3.Remote() }

// of is where a flow log delivers to.
func (d *destinations) of(f flowlogs.FlowLog) (deliver.Destination, error) {
	place, err := flowlogs.PlaceOf(f)
	if err != nil {
		return nil, err
	}
	format, err := flowlog.ParseFormat(f.Format)
	if err != nil {
		return nil, err
	}
	switch place.Type {
	case flowlogs.S3:
		return d.toBucket(f, place, format)
	case flowlogs.Logs:
		endpoint, err := d.logsEndpoint()
		if err != nil {
			return nil, err
		}
		return logs.New(logs.Config{Endpoint: endpoint, Group: place.LogGroup, Traffic: f.Traffic, Format: format})
	case flowlogs.Firehose:
		endpoint, err := d.firehoseEndpoint()
		if err != nil {
			return nil, err
		}
		return firehose.New(firehose.Config{Endpoint: endpoint, Stream: place.Stream, Format: format})
	}
	return nil, fmt.Errorf("destination type %q is not one of this version", place.Type)
}

func (d *destinations) toBucket(f flowlogs.FlowLog, place flowlogs.Place, format flowlog.Format) (deliver.Destination, error) {
	bucket, err := d.bucket(place.Bucket)
	if err != nil {
		return nil, err
	}
	encoding := flowlog.Text
	if f.FileFormat == flowlog.Parquet.String() {
		encoding = flowlog.Parquet
	}
	return s3.NewDestination(s3.Options{
		AccountID: f.AccountID, Region: f.Region, FlowLogID: f.ID, JournalID: d.journalID,
		Format: format, Encoding: encoding, Layout: flowlog.KeyLayoutFor(f.Hive, f.PerHour, false), Prefix: place.Prefix,
		MaxObject: d.settings.S3.MaxObject, Bucket: bucket,
	})
}

func (d *destinations) bucket(name string) (s3.Bucket, error) {
	if !d.remote() {
		return s3.OpenDirectory(filepath.Join(d.buckets, name)), nil
	}
	endpoint, err := d.s3.open(func() (*s3.Endpoint, error) {
		c := d.settings.S3
		return s3.OpenEndpoint(context.Background(), s3.EndpointConfig{
			URL: urlOf(c.Service), Region: c.Region, VirtualHost: c.VirtualHost, Profile: c.Profile,
			NoACL: c.NoACL, Encryption: c.SSE, KMSKeyID: c.KMSKeyID, StorageClass: c.StorageClass,
		})
	})
	if err != nil {
		return nil, err
	}
	return endpoint.Bucket(name), nil
}

func (d *destinations) logsEndpoint() (*logs.Endpoint, error) {
	return d.logs.open(func() (*logs.Endpoint, error) {
		c := d.settings.Logs
		return logs.OpenEndpoint(context.Background(), logs.EndpointConfig{URL: urlOf(c), Region: cmp.Or(c.Region, d.region), Profile: c.Profile})
	})
}

func (d *destinations) firehoseEndpoint() (*firehose.Endpoint, error) {
	return d.firehose.open(func() (*firehose.Endpoint, error) {
		c := d.settings.Firehose
		return firehose.OpenEndpoint(context.Background(), firehose.EndpointConfig{URL: urlOf(c), Region: cmp.Or(c.Region, d.region), Profile: c.Profile})
	})
}

// urlOf is a service's own URL; empty is the one that AWS's SDK chooses.
func urlOf(s declare.Service) string {
	if s.Endpoint == declare.AWS {
		return ""
	}
	return s.Endpoint
}

// probe asks whether a place can be delivered to, and answers in AWS's words.
func (d *destinations) probe(ctx context.Context, place flowlogs.Place) error {
	switch place.Type { // AWS makes no check: the log group is made with the first record
	case flowlogs.Logs:
		_, err := d.logsEndpoint()
		return err
	case flowlogs.Firehose:
		_, err := d.firehoseEndpoint()
		return err
	}
	bucket, err := d.bucket(place.Bucket)
	if err == nil {
		err = bucket.Probe(ctx)
	}
	if _, ok := errors.AsType[*s3.MissingError](err); ok {
		return flowlogs.NoDestination(place.Bucket)
	}
	if _, ok := errors.AsType[*s3.DeniedError](err); ok {
		return flowlogs.AccessDenied(place.Bucket)
	}
	return err
}

// close lets go of all services.
func (d *destinations) close() {
	if d.s3.made {
		d.s3.it.Close()
	}
	if d.logs.made {
		d.logs.it.Close()
	}
	if d.firehose.made {
		d.firehose.it.Close()
	}
}

package lab

import (
	"fmt"
	"net/netip"
	"time"

	"weir/lab/traffic"
)

const (
	httpPort  = 80
	appPort   = 8080
	rstPort   = 9999 // allowed from web to app, and nobody listens
	dbPort    = 5432
	sshPort   = 22
	dnsPort   = 53
	httpsPort = 443 // allowed to web, and nobody listens
)

// roles is who talks to whom: the role of each place that has an agent. Pauses
// are those at rate 1.
func roles(c Config) map[string]traffic.Role {
	tasks := map[string][]traffic.Task{
		web.name:         webTasks(c),
		app.name:         appTasks(c),
		db.name:          dbTasks(c),
		bastion.name:     bastionTasks(c),
		natInstance.name: natTasks(c),
		internetPlace:    internetTasks(c),
	}
	all := map[string]traffic.Role{}
	for place, list := range tasks {
		for i := range list {
			list[i].Every = c.every(list[i].Every)
		}
		all[place] = traffic.Role{Seed: c.Seed, Tasks: list}
	}
	return all
}

// servers is what listens at each place, and answers by asking the next tier.
// IPv6 goes all the way by itself.
func servers() map[string][]traffic.Task {
	return map[string][]traffic.Task{
		web.name: {
			{Name: "http server", Kind: traffic.HTTPServer, Addr: at(web.addr.v4, httpPort), Upstream: at(app.addr.v4, appPort)},
			{Name: "http server v6", Kind: traffic.HTTPServer, Addr: at(web.addr.v6, httpPort), Upstream: at(app.addr.v6, appPort)},
		},
		app.name: {
			{Name: "app server", Kind: traffic.HTTPServer, Addr: at(app.addr.v4, appPort), Database: at(db.addr.v4, dbPort)},
			{Name: "app server v6", Kind: traffic.HTTPServer, Addr: at(app.addr.v6, appPort), Database: at(db.addr.v6, dbPort)},
			{Name: "ssh server", Kind: traffic.SSHServer, Addr: at(app.addr.v4, sshPort)},
		},
		db.name: {
			{Name: "db server", Kind: traffic.DBServer, Addr: at(db.addr.v4, dbPort)},
			{Name: "db server v6", Kind: traffic.DBServer, Addr: at(db.addr.v6, dbPort)},
		},
		bastion.name: {
			{Name: "ssh server", Kind: traffic.SSHServer, Addr: at(bastion.addr.v4, sshPort)},
		},
		internetPlace: {
			{Name: "resolver", Kind: traffic.DNSServer, Addr: at(resolver.v4, dnsPort)},
			{Name: "resolver v6", Kind: traffic.DNSServer, Addr: at(resolver.v6, dnsPort)},
			{Name: "mirror", Kind: traffic.HTTPServer, Addr: at(mirror.v4, httpPort)},
			{Name: "mirror v6", Kind: traffic.HTTPServer, Addr: at(mirror.v6, httpPort)},
		},
	}
}

func webTasks(c Config) []traffic.Task {
	return append(servers()[web.name],
		traffic.Task{Name: "health check", Kind: traffic.HTTPShort, Addr: at(app.addr.v4, appPort), Every: time.Second},
		traffic.Task{Name: "old service", Kind: traffic.Attempt, Want: traffic.Reset, Addr: at(app.addr.v4, rstPort), Every: time.Second},
		traffic.Task{Name: "straight to the db", Kind: traffic.Attempt, Want: traffic.Silent, Addr: at(db.addr.v4, dbPort), Every: 5 * time.Second},
		traffic.Task{Name: "dns", Kind: traffic.DNSClient, Addr: at(resolver.v4, dnsPort), Every: time.Second},
		traffic.Task{Name: "ping app", Kind: traffic.Ping, Addr: at(app.addr.v4, 0), Every: time.Second},
		traffic.Task{Name: "ping app v6", Kind: traffic.Ping, Addr: at(app.addr.v6, 0), Every: time.Second},
	)
}

func appTasks(c Config) []traffic.Task {
	return append(servers()[app.name],
		traffic.Task{Name: "db load", Kind: traffic.DBLoad, Addr: at(db.addr.v4, dbPort), Bytes: c.BulkBytes / 2, Every: 7 * time.Second},
		traffic.Task{Name: "dns", Kind: traffic.DNSClient, Addr: at(resolver.v4, dnsPort), Every: 200 * time.Millisecond},
		traffic.Task{Name: "dns v6", Kind: traffic.DNSClient, Addr: at(resolver.v6, dnsPort), Every: time.Second},
		traffic.Task{Name: "mirror", Kind: traffic.HTTPClient, Addr: at(mirror.v4, httpPort), Every: 2 * time.Second},
		traffic.Task{Name: "mirror v6", Kind: traffic.HTTPShort, Addr: at(mirror.v6, httpPort), Every: 3 * time.Second},
		traffic.Task{Name: "ping db", Kind: traffic.Ping, Addr: at(db.addr.v4, 0), Every: time.Second},
	)
}

func dbTasks(Config) []traffic.Task {
	return append(servers()[db.name],
		traffic.Task{Name: "dns", Kind: traffic.DNSClient, Addr: at(resolver.v4, dnsPort), Every: 500 * time.Millisecond},
		traffic.Task{Name: "phone home", Kind: traffic.Attempt, Want: traffic.Silent, Addr: at(mirror.v4, httpsPort), Every: time.Second},
		traffic.Task{Name: "phone home v6", Kind: traffic.Attempt, Want: traffic.Silent, Addr: at(mirror.v6, httpsPort), Every: 3 * time.Second},
	)
}

func bastionTasks(Config) []traffic.Task {
	return append(servers()[bastion.name],
		traffic.Task{Name: "ssh to app", Kind: traffic.SSHClient, Addr: at(app.addr.v4, sshPort), Every: 5 * time.Second},
		traffic.Task{Name: "into the app", Kind: traffic.Attempt, Want: traffic.Silent, Addr: at(app.addr.v4, appPort), Every: 5 * time.Second},
		traffic.Task{Name: "ping db v6", Kind: traffic.Ping, Addr: at(db.addr.v6, 0), Every: 2 * time.Second},
	)
}

func natTasks(Config) []traffic.Task {
	return []traffic.Task{
		{Name: "dns", Kind: traffic.DNSClient, Addr: at(resolver.v4, dnsPort), Every: 2 * time.Second},
		{Name: "ping web", Kind: traffic.Ping, Addr: at(web.addr.v4, 0), Every: 2 * time.Second},
	}
}

func internetTasks(c Config) []traffic.Task {
	tasks := servers()[internetPlace]
	tasks = append(tasks,
		traffic.Task{Name: "browse v6", Kind: traffic.HTTPClient, From: visitor6, Addr: at(web.addr.v6, httpPort), Every: 200 * time.Millisecond},
		traffic.Task{Name: "short v6", Kind: traffic.HTTPShort, From: visitor6, Addr: at(web.addr.v6, httpPort), Every: time.Second},
		traffic.Task{Name: "download", Kind: traffic.HTTPDownload, From: visitors[0], Addr: at(web.public, httpPort), Bytes: c.BulkBytes, Every: 5 * time.Second},
		traffic.Task{Name: "ping", Kind: traffic.Ping, From: visitors[1], Addr: at(web.public, 0), Every: time.Second},
		traffic.Task{Name: "ping v6", Kind: traffic.Ping, From: visitor6, Addr: at(web.addr.v6, 0), Every: time.Second},
		traffic.Task{Name: "admin ssh", Kind: traffic.SSHClient, From: admin, Addr: at(bastion.public, sshPort), Every: 4 * time.Second},
		traffic.Task{Name: "scan", Kind: traffic.Scan, From: scanner, Addr: at(web.public, 0), Every: time.Second / 300},
		traffic.Task{Name: "knock at nat", Kind: traffic.Attempt, Want: traffic.Silent, From: scanner, Addr: at(natInstance.public, sshPort), Every: 4 * time.Second},
	)
	for i, visitor := range visitors {
		tasks = append(tasks,
			traffic.Task{Name: fmt.Sprintf("browse %d", i+1), Kind: traffic.HTTPClient, From: visitor, Addr: at(web.public, httpPort), Every: 150 * time.Millisecond},
			traffic.Task{Name: fmt.Sprintf("short %d", i+1), Kind: traffic.HTTPShort, From: visitor, Addr: at(web.public, httpPort), Every: time.Second})
	}
	for i, cracker := range crackers {
		tasks = append(tasks,
			traffic.Task{Name: fmt.Sprintf("crack web %d", i+1), Kind: traffic.Attempt, Want: traffic.Silent, From: cracker, Addr: at(web.public, sshPort), Every: 2 * time.Second},
			traffic.Task{Name: fmt.Sprintf("crack bastion %d", i+1), Kind: traffic.Attempt, Want: traffic.Silent, From: cracker, Addr: at(bastion.public, sshPort), Every: 2 * time.Second})
	}
	return tasks
}

func at(addr netip.Addr, port uint16) netip.AddrPort { return netip.AddrPortFrom(addr, port) }

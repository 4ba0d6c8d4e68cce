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

	healthPort = 8081 // of web; a mistake of lab.yaml is in the way
)

// roles is who talks to whom: the role of each place that has an agent. Pauses
// are those at rate 1.
func (p *plan) roles(c Config) map[string]traffic.Role {
	tasks := map[string][]traffic.Task{
		webPlace:      p.webTasks(c),
		appPlace:      p.appTasks(c),
		dbPlace:       p.dbTasks(c),
		bastionPlace:  p.bastionTasks(c),
		natPlace:      p.natTasks(c),
		internetPlace: p.internetTasks(c),
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
// IPv6 goes by itself as far as the application: between that and the database
// is one of the mistakes of lab.yaml.
func (p *plan) servers() map[string][]traffic.Task {
	return map[string][]traffic.Task{
		webPlace: {
			{Name: "http server", Kind: traffic.HTTPServer, Addr: at(p.web.addr.v4, httpPort), Upstream: at(p.app.addr.v4, appPort)},
			{Name: "http server v6", Kind: traffic.HTTPServer, Addr: at(p.web.addr.v6, httpPort), Upstream: at(p.app.addr.v6, appPort)},
			{Name: "health server", Kind: traffic.HTTPServer, Addr: at(p.web.addr.v4, healthPort)},
		},
		appPlace: {
			{Name: "app server", Kind: traffic.HTTPServer, Addr: at(p.app.addr.v4, appPort), Database: at(p.db.addr.v4, dbPort)},
			{Name: "app server v6", Kind: traffic.HTTPServer, Addr: at(p.app.addr.v6, appPort), Database: at(p.db.addr.v4, dbPort)},
			{Name: "ssh server", Kind: traffic.SSHServer, Addr: at(p.app.addr.v4, sshPort)},
		},
		dbPlace: {
			{Name: "db server", Kind: traffic.DBServer, Addr: at(p.db.addr.v4, dbPort)},
			{Name: "db server v6", Kind: traffic.DBServer, Addr: at(p.db.addr.v6, dbPort)},
		},
		bastionPlace: {
			{Name: "ssh server", Kind: traffic.SSHServer, Addr: at(p.bastion.addr.v4, sshPort)},
		},
		internetPlace: {
			{Name: "resolver", Kind: traffic.DNSServer, Addr: at(resolver.v4, dnsPort)},
			{Name: "resolver v6", Kind: traffic.DNSServer, Addr: at(resolver.v6, dnsPort)},
			{Name: "mirror", Kind: traffic.HTTPServer, Addr: at(mirror.v4, httpPort)},
			{Name: "mirror v6", Kind: traffic.HTTPServer, Addr: at(mirror.v6, httpPort)},
		},
	}
}

func (p *plan) webTasks(c Config) []traffic.Task {
	return append(p.servers()[webPlace],
		traffic.Task{Name: "health check", Kind: traffic.HTTPShort, Addr: at(p.app.addr.v4, appPort), Every: time.Second},
		traffic.Task{Name: "old service", Kind: traffic.Attempt, Want: traffic.Reset, Addr: at(p.app.addr.v4, rstPort), Every: time.Second},
		traffic.Task{Name: "straight to the db", Kind: traffic.Attempt, Want: traffic.Silent, Addr: at(p.db.addr.v4, dbPort), Every: 5 * time.Second},
		traffic.Task{Name: "dns", Kind: traffic.DNSClient, Addr: at(resolver.v4, dnsPort), Every: time.Second},
		traffic.Task{Name: "ping app", Kind: traffic.Ping, Addr: at(p.app.addr.v4, 0), Every: time.Second},
		traffic.Task{Name: "ping app v6", Kind: traffic.Ping, Addr: at(p.app.addr.v6, 0), Every: time.Second},
	)
}

func (p *plan) appTasks(c Config) []traffic.Task {
	return append(p.servers()[appPlace],
		traffic.Task{Name: "db load", Kind: traffic.DBLoad, Addr: at(p.db.addr.v4, dbPort), Bytes: c.BulkBytes / 2, Every: 7 * time.Second},
		traffic.Task{Name: "db over v6", Kind: traffic.Attempt, Want: traffic.Silent, Addr: at(p.db.addr.v6, dbPort), Every: 4 * time.Second},
		traffic.Task{Name: "dns", Kind: traffic.DNSClient, Addr: at(resolver.v4, dnsPort), Every: 200 * time.Millisecond},
		traffic.Task{Name: "dns v6", Kind: traffic.DNSClient, Addr: at(resolver.v6, dnsPort), Every: time.Second},
		traffic.Task{Name: "mirror", Kind: traffic.HTTPClient, Addr: at(mirror.v4, httpPort), Every: 2 * time.Second},
		traffic.Task{Name: "mirror v6", Kind: traffic.HTTPShort, Addr: at(mirror.v6, httpPort), Every: 3 * time.Second},
		traffic.Task{Name: "ping db", Kind: traffic.Ping, Addr: at(p.db.addr.v4, 0), Every: time.Second},
	)
}

func (p *plan) dbTasks(Config) []traffic.Task {
	return append(p.servers()[dbPlace],
		traffic.Task{Name: "dns", Kind: traffic.DNSClient, Addr: at(resolver.v4, dnsPort), Every: 500 * time.Millisecond},
		traffic.Task{Name: "phone home", Kind: traffic.Attempt, Want: traffic.Silent, Addr: at(mirror.v4, httpsPort), Every: time.Second},
		traffic.Task{Name: "phone home v6", Kind: traffic.Attempt, Want: traffic.Silent, Addr: at(mirror.v6, httpsPort), Every: 3 * time.Second},
	)
}

func (p *plan) bastionTasks(Config) []traffic.Task {
	return append(p.servers()[bastionPlace],
		traffic.Task{Name: "ssh to app", Kind: traffic.SSHClient, Addr: at(p.app.addr.v4, sshPort), Every: 5 * time.Second},
		traffic.Task{Name: "health of web", Kind: traffic.Attempt, Want: traffic.Silent, Addr: at(p.web.addr.v4, healthPort), Every: 4 * time.Second},
		traffic.Task{Name: "into the app", Kind: traffic.Attempt, Want: traffic.Silent, Addr: at(p.app.addr.v4, appPort), Every: 5 * time.Second},
		traffic.Task{Name: "ping db v6", Kind: traffic.Ping, Addr: at(p.db.addr.v6, 0), Every: 2 * time.Second},
	)
}

func (p *plan) natTasks(Config) []traffic.Task {
	return []traffic.Task{
		{Name: "dns", Kind: traffic.DNSClient, Addr: at(resolver.v4, dnsPort), Every: 2 * time.Second},
		{Name: "ping web", Kind: traffic.Ping, Addr: at(p.web.addr.v4, 0), Every: 2 * time.Second},
	}
}

func (p *plan) internetTasks(c Config) []traffic.Task {
	tasks := p.servers()[internetPlace]
	tasks = append(tasks,
		traffic.Task{Name: "browse v6", Kind: traffic.HTTPClient, From: visitor6, Addr: at(p.web.addr.v6, httpPort), Every: 200 * time.Millisecond},
		traffic.Task{Name: "short v6", Kind: traffic.HTTPShort, From: visitor6, Addr: at(p.web.addr.v6, httpPort), Every: time.Second},
		traffic.Task{Name: "download", Kind: traffic.HTTPDownload, From: visitors[0], Addr: at(p.web.public, httpPort), Bytes: c.BulkBytes, Every: 5 * time.Second},
		traffic.Task{Name: "ping", Kind: traffic.Ping, From: visitors[1], Addr: at(p.web.public, 0), Every: time.Second},
		traffic.Task{Name: "ping v6", Kind: traffic.Ping, From: visitor6, Addr: at(p.web.addr.v6, 0), Every: time.Second},
		traffic.Task{Name: "admin ssh", Kind: traffic.SSHClient, From: admin, Addr: at(p.bastion.public, sshPort), Every: 4 * time.Second},
		traffic.Task{Name: "scan", Kind: traffic.Scan, From: scanner, Addr: at(p.web.public, 0), Every: time.Second / 300},
		traffic.Task{Name: "knock at nat", Kind: traffic.Attempt, Want: traffic.Silent, From: scanner, Addr: at(p.nat.public, sshPort), Every: 4 * time.Second},
	)
	for i, visitor := range visitors {
		tasks = append(tasks,
			traffic.Task{Name: fmt.Sprintf("browse %d", i+1), Kind: traffic.HTTPClient, From: visitor, Addr: at(p.web.public, httpPort), Every: 150 * time.Millisecond},
			traffic.Task{Name: fmt.Sprintf("short %d", i+1), Kind: traffic.HTTPShort, From: visitor, Addr: at(p.web.public, httpPort), Every: time.Second})
	}
	for i, cracker := range crackers {
		tasks = append(tasks,
			traffic.Task{Name: fmt.Sprintf("crack web %d", i+1), Kind: traffic.Attempt, Want: traffic.Silent, From: cracker, Addr: at(p.web.public, sshPort), Every: 2 * time.Second},
			traffic.Task{Name: fmt.Sprintf("crack bastion %d", i+1), Kind: traffic.Attempt, Want: traffic.Silent, From: cracker, Addr: at(p.bastion.public, sshPort), Every: 2 * time.Second})
	}
	return tasks
}

func at(addr netip.Addr, port uint16) netip.AddrPort { return netip.AddrPortFrom(addr, port) }

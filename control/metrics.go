package control

import (
	"github.com/prometheus/client_golang/prometheus"
)

// metrics turns a Status into Prometheus metrics at each scrape.
type metrics struct{ status func() Status }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("weir_"+name, help, labels, nil)
}

var (
	capturePackets     = desc("capture_packets_total", "Wire packets counted, by network interface, direction and verdict.", "interface_id", "name", "direction", "action")
	captureBytes       = desc("capture_bytes_total", "IP bytes counted, by network interface, direction and verdict.", "interface_id", "name", "direction", "action")
	captureLostPackets = desc("capture_lost_packets_total", "Packets that could not be counted, by cause: full (the table had no room), unread (no readable IP header), refused (a refusal that found no room).", "interface_id", "name", "cause")
	captureLostBytes   = desc("capture_lost_bytes_total", "IP bytes of packets that could not be counted, by cause.", "interface_id", "name", "cause")
	captureInterfaces  = desc("capture_interfaces", "Network interfaces that are watched.")
	captureSwaps       = desc("capture_swaps_total", "Times the kernel handed its counts over.")
	captureSwapSeconds = desc("capture_swap_seconds", "How long the last hand-over took.")
	captureOccupancy   = desc("capture_occupancy_ratio", "How full the kernel's flow table is, 0 to 1; it is handed over at 0.6.")

	aggregateRecords = desc("aggregate_records_total", "Records made, by log status.", "log_status")
	aggregateOpen    = desc("aggregate_open_flows", "Flows in the open aggregation interval.")

	deliverRecords  = desc("deliver_records_total", "Records delivered, by flow log.", "flow_log_id")
	deliverBytes    = desc("deliver_bytes_total", "Bytes delivered as they lie in the destination, by flow log.", "flow_log_id")
	deliverObjects  = desc("deliver_objects_total", "Objects delivered, by flow log.", "flow_log_id")
	deliverFailures = desc("deliver_failures_total", "Attempts to deliver that failed and will be made again, by flow log.", "flow_log_id")
	deliverPending  = desc("deliver_pending_records", "Records that wait for delivery, by flow log.", "flow_log_id")
	deliverLast     = desc("deliver_last_success_timestamp_seconds", "When the flow log last delivered, Unix time.", "flow_log_id")

	policyRules   = desc("policy_rules", "Rules of the policy in force that can refuse something; 0 when none is in force.")
	policySince   = desc("policy_applied_timestamp_seconds", "When the policy in force was applied, Unix time.")
	policyDiffers = desc("policy_differs", "1 when the kernel does not have the rules of the policy in force. It should be 0.")

	topologyLoaded  = desc("topology_loaded_timestamp_seconds", "When the content of the topology's file that is in use was loaded, Unix time.")
	topologyProblem = desc("topology_problem", "1 when a newer content of the topology's file cannot be used. It should be 0.")
	topologyWaiting = desc("topology_waiting_interfaces", "Declared network interfaces whose device does not exist.")

	lostRecords = desc("lost_records_total", "Records that were made and never delivered. It should be 0.")
	lostPackets = desc("lost_packets_total", "Packets that were never counted, of all causes. It should be 0.")
)

// Describe implements [prometheus.Collector]: the metrics are those of Collect.
func (m metrics) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(m, ch) }

// Collect implements [prometheus.Collector].
func (m metrics) Collect(ch chan<- prometheus.Metric) {
	s := m.status()
	counter := func(d *prometheus.Desc, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
	}
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	for _, i := range s.Capture.Interfaces {
		for direction, c := range map[string]Counts{"ingress": i.Ingress, "egress": i.Egress} {
			counter(capturePackets, c.AcceptedPackets, i.ID, i.Name, direction, "ACCEPT")
			counter(capturePackets, c.RejectedPackets, i.ID, i.Name, direction, "REJECT")
			counter(captureBytes, c.AcceptedBytes, i.ID, i.Name, direction, "ACCEPT")
			counter(captureBytes, c.RejectedBytes, i.ID, i.Name, direction, "REJECT")
		}
		counter(captureLostPackets, i.Lost.FullPackets, i.ID, i.Name, "full")
		counter(captureLostPackets, i.Lost.UnreadPackets, i.ID, i.Name, "unread")
		counter(captureLostPackets, i.Lost.RefusedPackets, i.ID, i.Name, "refused")
		counter(captureLostBytes, i.Lost.FullBytes, i.ID, i.Name, "full")
		counter(captureLostBytes, i.Lost.UnreadBytes, i.ID, i.Name, "unread")
		counter(captureLostBytes, i.Lost.RefusedBytes, i.ID, i.Name, "refused")
	}
	gauge(captureInterfaces, float64(len(s.Capture.Interfaces)))
	counter(captureSwaps, s.Capture.Swaps)
	gauge(captureSwapSeconds, s.Capture.SwapTime.Seconds())
	gauge(captureOccupancy, s.Capture.Occupancy)

	counter(aggregateRecords, s.Records.Made-s.Records.NoData-s.Records.SkipData, "OK")
	counter(aggregateRecords, s.Records.NoData, "NODATA")
	counter(aggregateRecords, s.Records.SkipData, "SKIPDATA")
	gauge(aggregateOpen, float64(s.Records.Open))

	for _, f := range s.FlowLogs {
		counter(deliverRecords, f.Records, f.ID)
		counter(deliverBytes, f.Bytes, f.ID)
		counter(deliverObjects, f.Objects, f.ID)
		counter(deliverFailures, f.Failures, f.ID)
		gauge(deliverPending, float64(f.PendingRecords), f.ID)
		if !f.LastDelivery.IsZero() {
			gauge(deliverLast, float64(f.LastDelivery.UnixMilli())/1000, f.ID)
		}
	}
	collectPolicy(&s, gauge)
	counter(lostRecords, s.Lost.Records)
	counter(lostPackets, s.Lost.Packets)
}

func collectPolicy(s *Status, gauge func(*prometheus.Desc, float64, ...string)) {
	flag := func(set bool) float64 {
		if set {
			return 1
		}
		return 0
	}
	rules := 0
	if p := s.Policy; p != nil {
		rules = p.Rules
		gauge(policySince, float64(p.Since.UnixMilli())/1000)
		gauge(policyDiffers, flag(p.Differs != ""))
	}
	gauge(policyRules, float64(rules))
	if t := s.Topology; t != nil {
		gauge(topologyLoaded, float64(t.Loaded.UnixMilli())/1000)
		gauge(topologyProblem, flag(t.Problem != ""))
		gauge(topologyWaiting, float64(len(t.Waiting)))
	}
}

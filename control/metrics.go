package control

import (
	"fmt"

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
	captureLostPackets = desc("capture_lost_packets_total", "Packets that could not be counted, by cause: full (the table had no room), unread (no readable IP header), refused (a refusal that found no room), journal (damaged on disk).", "interface_id", "name", "cause")
	captureLostBytes   = desc("capture_lost_bytes_total", "IP bytes of packets that could not be counted, by cause.", "interface_id", "name", "cause")
	captureInterfaces  = desc("capture_interfaces", "Network interfaces that are watched.")
	captureSwaps       = desc("capture_swaps_total", "Times the kernel handed its counts over.")
	captureSwapSeconds = desc("capture_swap_seconds", "How long the last hand-over took.")
	captureOccupancy   = desc("capture_occupancy_ratio", "How full the kernel's flow table is, 0 to 1; it is handed over at 0.6.")

	journalSwaps    = desc("journal_swaps_total", "Hand-overs stored in the journal.")
	journalFlows    = desc("journal_flows_total", "Flows stored in the journal.")
	journalBytes    = desc("journal_written_bytes_total", "Bytes stored in the journal.")
	journalStored   = desc("journal_stored_bytes", "Bytes that the journal takes on disk.")
	journalMax      = desc("journal_max_bytes", "What the journal may take; beyond it the oldest counts are given up.")
	journalOldest   = desc("journal_oldest_timestamp_seconds", "When the oldest counts in the journal were stored, Unix time.")
	journalAppend   = desc("journal_append_seconds", "How long the last hand-over took to be durable.")
	journalFailures = desc("journal_failures_total", "Hand-overs that could not be stored at once; the kernel keeps them.")
	journalDamaged  = desc("journal_damaged_messages_total", "Messages of the journal that cannot be read. It should be 0.")
	journalGaps     = desc("journal_missing_swaps_total", "Hand-overs that are missing in the journal. It should be 0.")

	aggregateRecords = desc("aggregate_records_total", "Records made, by aggregation interval and log status.", "interval", "log_status")
	aggregateOpen    = desc("aggregate_open_flows", "Flows in the open aggregation interval.", "interval")

	deliverRecords  = desc("deliver_records_total", "Records delivered, by flow log.", "flow_log_id", "destination")
	deliverBytes    = desc("deliver_bytes_total", "Bytes delivered as they lie in the destination, by flow log.", "flow_log_id", "destination")
	deliverParts    = desc("deliver_parts_total", "Objects or calls delivered, by flow log.", "flow_log_id", "destination")
	deliverRetries  = desc("deliver_retries_total", "Attempts to deliver that failed and were made again, by flow log.", "flow_log_id", "destination")
	deliverDoubtful = desc("deliver_doubtful_records_total", "Records that may be there twice because the destination did not answer, by flow log.", "flow_log_id", "destination")
	deliverRefused  = desc("deliver_refused_records_total", "Records that the destination does not take: lost. It should be 0.", "flow_log_id", "destination")
	deliverSkipped  = desc("deliver_skipped_packets_total", "Packets given up because the journal was full, told as SKIPDATA. It should be 0.", "flow_log_id", "destination")
	deliverWaiting  = desc("deliver_waiting_records", "Records that are encoded and wait for delivery, by flow log.", "flow_log_id", "destination")
	deliverHeld     = desc("deliver_held_bytes", "Memory of the records that wait, by flow log.", "flow_log_id", "destination")
	deliverBacklog  = desc("deliver_backlog_messages", "Messages of the journal that are not delivered, by flow log.", "flow_log_id", "destination")
	deliverLag      = desc("deliver_lag_seconds", "How long ago the oldest interval ended that is not delivered, by flow log.", "flow_log_id", "destination")
	deliverFailed   = desc("deliver_failed", "1 while the last attempt to deliver failed, by flow log.", "flow_log_id", "destination")
	deliverLast     = desc("deliver_last_success_timestamp_seconds", "When the flow log last delivered, Unix time.", "flow_log_id", "destination")

	policyRules   = desc("policy_rules", "Rules of the policy in force that can refuse something; 0 when none is in force.")
	policySince   = desc("policy_applied_timestamp_seconds", "When the policy in force was applied, Unix time.")
	policyDiffers = desc("policy_differs", "1 when the kernel does not have the rules of the policy in force. It should be 0.")

	topologyLoaded  = desc("topology_loaded_timestamp_seconds", "When the content of the topology's file that is in use was loaded, Unix time.")
	topologyProblem = desc("topology_problem", "1 when a newer content of the topology's file cannot be used. It should be 0.")
	topologyWaiting = desc("topology_waiting_interfaces", "Declared network interfaces whose device does not exist.")

	lostRecords = desc("lost_records_total", "Records that a destination did not take. It should be 0.")
	lostPackets = desc("lost_packets_total", "Packets that were not counted, or given up by a flow log. It should be 0.")
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
		counter(captureLostPackets, i.Lost.JournalPackets, i.ID, i.Name, "journal")
		counter(captureLostBytes, i.Lost.FullBytes, i.ID, i.Name, "full")
		counter(captureLostBytes, i.Lost.UnreadBytes, i.ID, i.Name, "unread")
		counter(captureLostBytes, i.Lost.RefusedBytes, i.ID, i.Name, "refused")
		counter(captureLostBytes, i.Lost.JournalBytes, i.ID, i.Name, "journal")
	}
	gauge(captureInterfaces, float64(len(s.Capture.Interfaces)))
	counter(captureSwaps, s.Capture.Swaps)
	gauge(captureSwapSeconds, s.Capture.SwapTime.Seconds())
	gauge(captureOccupancy, s.Capture.Occupancy)

	collectJournal(&s.Journal, counter, gauge)
	for _, r := range s.Records {
		interval := fmt.Sprintf("%.0fs", r.Interval.Seconds())
		counter(aggregateRecords, r.Made-r.NoData-r.SkipData, interval, "OK")
		counter(aggregateRecords, r.NoData, interval, "NODATA")
		counter(aggregateRecords, r.SkipData, interval, "SKIPDATA")
		gauge(aggregateOpen, float64(r.Open), interval)
	}
	for i := range s.FlowLogs {
		collectFlowLog(&s.FlowLogs[i], counter, gauge)
	}
	collectPolicy(&s, gauge)
	counter(lostRecords, s.Lost.Records)
	counter(lostPackets, s.Lost.Packets)
}

func collectJournal(j *Journal, counter func(*prometheus.Desc, uint64, ...string), gauge func(*prometheus.Desc, float64, ...string)) {
	counter(journalSwaps, j.Swaps)
	counter(journalFlows, j.Flows)
	counter(journalBytes, j.Bytes)
	gauge(journalStored, float64(j.Stored))
	gauge(journalMax, float64(j.MaxBytes))
	if !j.Oldest.IsZero() {
		gauge(journalOldest, float64(j.Oldest.UnixMilli())/1000)
	}
	gauge(journalAppend, j.Append.Seconds())
	counter(journalFailures, j.Failures)
	counter(journalDamaged, j.Damaged)
	counter(journalGaps, j.Gaps)
}

func collectFlowLog(f *FlowLog, counter func(*prometheus.Desc, uint64, ...string), gauge func(*prometheus.Desc, float64, ...string)) {
	labels := []string{f.ID, f.To}
	counter(deliverRecords, f.Records, labels...)
	counter(deliverBytes, f.Bytes, labels...)
	counter(deliverParts, f.Parts, labels...)
	counter(deliverRetries, f.Retries, labels...)
	counter(deliverDoubtful, f.Doubtful, labels...)
	counter(deliverRefused, f.Refused, labels...)
	counter(deliverSkipped, f.Skipped.Packets, labels...)
	gauge(deliverWaiting, float64(f.Waiting), labels...)
	gauge(deliverHeld, float64(f.Held), labels...)
	gauge(deliverBacklog, float64(f.Backlog), labels...)
	gauge(deliverLag, f.Lag.Seconds(), labels...)
	gauge(deliverFailed, flag(f.Status == "FAILED"), labels...)
	if !f.LastDelivery.IsZero() {
		gauge(deliverLast, float64(f.LastDelivery.UnixMilli())/1000, labels...)
	}
}

func flag(set bool) float64 {
	if set {
		return 1
	}
	return 0
}

func collectPolicy(s *Status, gauge func(*prometheus.Desc, float64, ...string)) {
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

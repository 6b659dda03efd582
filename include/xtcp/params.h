/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Every knob of /proc/sys/net/xtcp/, per network namespace, each fact once.
 * A name that net.ipv4 has keeps its name, unit, range and meaning.
 *
 * XTCP_PARAM(name, default, min, max, unit, source, meaning)	one int
 * XTCP_PARAM3(name, d0, d1, d2, min, max, unit, source, meaning)	three ints
 * XTCP_PARAM_LAB(name, default, min, max, unit, source, meaning)	one int that
 *	can be set only in a namespace other than the first that has no socket yet
 *
 * A default written XTCP_AUTO is computed from the size of the machine when
 * the namespace is made. Users of the table define the macros they need; the
 * others vanish.
 */
#ifndef XTCP_PARAM
#define XTCP_PARAM(name, def, min, max, unit, source, meaning)
#endif
#ifndef XTCP_PARAM3
#define XTCP_PARAM3(name, d0, d1, d2, min, max, unit, source, meaning)
#endif
#ifndef XTCP_PARAM_LAB
#define XTCP_PARAM_LAB(name, def, min, max, unit, source, meaning)
#endif

XTCP_PARAM(tcp_syn_retries, 5, 1, 127, "count", "SEEDS D-1, 4-40",
	   "retransmissions of a SYN before connect() fails")
XTCP_PARAM(tcp_syn_linear_timeouts, 0, 0, 127, "count", "SEEDS D-1, 4-41",
	   "first retransmissions of a SYN that come without backoff")
XTCP_PARAM(tcp_synack_retries, 5, 0, 255, "count", "SEEDS 4-44",
	   "retransmissions of a SYN-ACK before a half-open request is dropped")
XTCP_PARAM(tcp_retries1, 3, 0, 255, "count", "RFC 9293 3.8.3 R1",
	   "retransmissions before the route is doubted")
XTCP_PARAM(tcp_retries2, 15, 0, 255, "count", "RFC 9293 3.8.3 R2",
	   "retransmissions of data before the connection is given up")
XTCP_PARAM(tcp_orphan_retries, 0, 0, 255, "count", "SEEDS D-3",
	   "retransmissions after close(), then twice the last timeout; 0 means 8")
XTCP_PARAM(tcp_orphan_rst, 0, 0, 1, "bool", "SEEDS D-15",
	   "1: RST the peer of an orphan whose retransmissions are used up")
XTCP_PARAM(tcp_fin_timeout, 60, 1, 2147483, "s", "SEEDS 4-71",
	   "longest stay of a closed socket in FIN_WAIT2")
XTCP_PARAM(tcp_timewait_ms, 60000, 0, 86400000, "ms", "RFC 9293 3.6.1 2MSL",
	   "length of TIME_WAIT, 2MSL")
XTCP_PARAM(tcp_max_tw_buckets, XTCP_AUTO, 0, 2147483647, "count", "SEEDS D-6",
	   "TIME_WAIT entries kept; beyond it they are skipped and counted")
XTCP_PARAM(tcp_tw_reuse, 2, 0, 2, "mode", "SEEDS D-8, RFC 6191",
	   "connect() may take over a TIME_WAIT: 0 never, 1 with timestamps, 2 on loopback only")
XTCP_PARAM(tcp_tw_reuse_delay, 1000, 1, 60000, "ms", "SEEDS D-8, 4-93",
	   "how old a TIME_WAIT must be before tcp_tw_reuse takes it")
XTCP_PARAM(tcp_tw_recycle, 0, 0, 1, "bool", "SEEDS D-7",
	   "1: TIME_WAIT of a connection with timestamps lasts 3.5 RTO; no per-host check")
XTCP_PARAM(tcp_rfc1337, 0, 0, 1, "bool", "RFC 1337",
	   "1: a RST does not end TIME_WAIT")
XTCP_PARAM(tcp_keepalive_time, 7200, 1, 32767, "s", "RFC 9293 3.8.4",
	   "idle time before the first keepalive probe")
XTCP_PARAM(tcp_keepalive_intvl, 75, 1, 32767, "s", "RFC 9293 3.8.4",
	   "time between keepalive probes")
XTCP_PARAM(tcp_keepalive_probes, 9, 1, 127, "count", "RFC 9293 3.8.4",
	   "unanswered probes before the connection is dead")
XTCP_PARAM(tcp_init_rto_ms, 1000, 10, 60000, "ms", "RFC 6298 2.1, SEEDS D-2",
	   "first retransmission timeout of SYN and SYN-ACK")
XTCP_PARAM(tcp_synack_rto_ms, 0, 0, 60000, "ms", "RFC 6298 2.1, SEEDS D-2",
	   "first retransmission timeout of SYN-ACK; 0: tcp_init_rto_ms, else at least 10")
XTCP_PARAM(tcp_rto_min_us, 200000, 1000, 2147483647, "us", "RFC 6298 2.4",
	   "smallest retransmission timeout")
XTCP_PARAM(tcp_rto_max_ms, 120000, 1000, 120000, "ms", "RFC 6298 2.5",
	   "largest retransmission timeout")
XTCP_PARAM(tcp_thin_linear_timeouts, 0, 0, 1, "bool", "Linux",
	   "1: the first 6 timeouts of fewer than 4 segments come without backoff")
XTCP_PARAM(tcp_min_rtt_wlen, 300, 0, 86400, "s", "Linux",
	   "least RTT is that of about this long; 0: the last one")
XTCP_PARAM(tcp_delack_min_ms, 40, 0, 500, "ms", "RFC 9293 3.8.6.3",
	   "shortest delay of an ACK that waits for company")
XTCP_PARAM(tcp_delack_push_us, 1000, 0, 40000, "us", "RFC 9293 3.8.6.3",
	   "delay of the ACK of pushed data, which an answer may carry; 0: none, as Linux")
XTCP_PARAM(tcp_delack_synack_us, 0, 0, 200000, "us", "RFC 9293 3.8.6.3",
	   "delay of the ACK of a SYN-ACK, which a request may carry; 0: none, as Linux")
XTCP_PARAM(tcp_init_cwnd, 10, 1, 1000, "segments", "RFC 6928",
	   "initial congestion window")
XTCP_PARAM(tcp_timestamps, 1, 0, 2, "mode", "RFC 7323 3",
	   "0 off, 1 on with a random offset per connection, 2 without offset")
XTCP_PARAM(tcp_sack, 1, 0, 1, "bool", "RFC 2018",
	   "selective acknowledgments")
XTCP_PARAM(tcp_dsack, 1, 0, 1, "bool", "RFC 2883",
	   "report duplicates in SACK blocks")
XTCP_PARAM(tcp_ecn, 2, 0, 2, "mode", "RFC 3168",
	   "explicit congestion notification: 0 off, 1 on, 2 if the peer asks for it")
XTCP_PARAM(tcp_ecn_fallback, 1, 0, 1, "bool", "RFC 3168 6.1.1.1",
	   "1: a SYN that got no answer is repeated without asking for ECN")
XTCP_PARAM(tcp_window_scaling, 1, 0, 1, "bool", "RFC 7323 2",
	   "window scale option")
XTCP_PARAM(tcp_reordering, 3, 1, 300, "segments", "RFC 5681 3.2",
	   "duplicate ACKs that mean loss, at first; at most tcp_max_reordering")
XTCP_PARAM(tcp_max_reordering, 300, 1, 2147483647, "segments", "Linux",
	   "most that reordering, where it is seen, makes of them")
XTCP_PARAM(tcp_recovery, 1, 0, 255, "bits", "RFC 8985 6",
	   "1: RACK finds losses, else RFC 6675; 2: fixed reordering window; 4: no threshold")
XTCP_PARAM(tcp_early_retrans, 3, 0, 4, "mode", "RFC 8985 7",
	   "tail loss probe: 3 and 4 on, below off")
XTCP_PARAM(tcp_frto, 2, 0, 255, "mode", "RFC 5682",
	   "find out whether a timeout was spurious: 0 off")
XTCP_PARAM(tcp_slow_start_after_idle, 1, 0, 1, "bool", "RFC 5681 4.1",
	   "shrink the congestion window after an idle RTO")
XTCP_PARAM(tcp_min_snd_mss, 48, 48, 65535, "bytes", "SACK panic, 2019",
	   "smallest MSS a peer or an ICMP may impose")
XTCP_PARAM(tcp_mtu_probing, 0, 0, 255, "mode", "RFC 4821",
	   "find the path MTU without ICMP: 0 off, 1 where retransmissions get no answer, 2 always")
XTCP_PARAM(tcp_base_mss, 1024, 48, 65535, "bytes", "RFC 4821 7.2",
	   "MSS to begin with where tcp_mtu_probing looks for the path MTU")
XTCP_PARAM(tcp_mtu_probe_floor, 48, 48, 65535, "bytes", "RFC 4821 7.7",
	   "smallest MSS tcp_mtu_probing goes down to")
XTCP_PARAM(tcp_probe_threshold, 8, 0, 2147483647, "bytes", "RFC 4821 7.4",
	   "the search for the path MTU ends when it is known so closely")
XTCP_PARAM(tcp_probe_interval, 600, 0, 4294967, "s", "RFC 4821 7.4",
	   "time after which the search begins anew")
XTCP_PARAM(tcp_reflect_tos, 0, 0, 1, "bool", "Linux",
	   "1: SYN-ACK and connection take the DSCP of the SYN, not the listener's")
XTCP_PARAM(tcp_syncookies, 1, 0, 2, "mode", "RFC 4987 3.6, SEEDS 4-59",
	   "SYN cookies: 0 never, 1 when the half-open queue is full, 2 always")
XTCP_PARAM(tcp_max_syn_backlog, XTCP_AUTO, 1, 2147483647, "count", "SEEDS D-13",
	   "half-open requests per listener")
XTCP_PARAM(tcp_abort_on_overflow, 0, 0, 1, "bool", "SEEDS X-10",
	   "1: RST the client whose third ACK finds the accept queue full")
XTCP_PARAM(tcp_max_orphans, XTCP_AUTO, 0, 2147483647, "count", "SEEDS 4-11",
	   "closed sockets still ending; beyond it they are reset")
XTCP_PARAM(tcp_challenge_ack_limit, 1000, 1, 2147483647, "per second", "RFC 5961 7",
	   "challenge ACKs per namespace")
XTCP_PARAM(tcp_invalid_ratelimit, 500, 0, 2147483647, "ms", "RFC 5961 7",
	   "least time between two ACKs to bad segments of one connection")
XTCP_PARAM(tcp_moderate_rcvbuf, 1, 0, 1, "bool", "dynamic right-sizing",
	   "grow the receive buffer with the measured rate")
XTCP_PARAM(tcp_notsent_lowat, 2147483647, 0, 2147483647, "bytes", "Linux",
	   "unsent bytes at which a socket stops being writable")
XTCP_PARAM(tcp_stdurg, 0, 0, 1, "bool", "RFC 6093",
	   "1: the urgent pointer names the last urgent byte, 0: the byte after it")
XTCP_PARAM(tcp_limit_output_bytes, 4194304, 0, 2147483647, "bytes", "Linux",
	   "most of one socket in qdisc and device, where it is not paced")
XTCP_PARAM(tcp_early_demux, 1, 0, 255, "bool", "Linux",
	   "the input route of a connection's last segment serves the next one")
XTCP_PARAM(tcp_autocorking, 1, 0, 1, "bool", "Linux",
	   "small writes wait for company while something of theirs is in qdisc or device")
XTCP_PARAM(tcp_min_tso_segs, 2, 1, 255, "segments", "Linux",
	   "least that is handed down in one piece, if there is so much")
XTCP_PARAM(tcp_tso_rtt_log, 9, 0, 31, "log2 us", "Linux",
	   "larger pieces to near peers: half as much more for each 2^this us of RTT")
XTCP_PARAM(tcp_tso_win_divisor, 3, 0, 255, "1/window", "Linux",
	   "less than a piece and this part of cwnd waits for more; 0: up to three segments")
XTCP_PARAM(tcp_pacing_ss_ratio, 200, 0, 1000, "percent", "Linux",
	   "pacing rate in slow start, of a window per round trip")
XTCP_PARAM(tcp_pacing_ca_ratio, 120, 0, 1000, "percent", "Linux",
	   "pacing rate in congestion avoidance, likewise")
XTCP_PARAM3(tcp_rmem, 4096, 131072, 6291456, 1, 2147483647, "bytes", "Linux",
	    "receive buffer: smallest, default, largest by autotuning")
XTCP_PARAM3(tcp_wmem, 4096, 16384, 4194304, 1, 2147483647, "bytes", "Linux",
	    "send buffer: smallest, default, largest by autotuning")
XTCP_PARAM_LAB(lab_timescale, 1, 1, 1000, "times", "SEEDS lab clock",
	       "speed of the namespace's clock, times real time; never in the first namespace")

#undef XTCP_PARAM
#undef XTCP_PARAM3
#undef XTCP_PARAM_LAB
/*
 * Outside this table, because they are not plain ints per namespace:
 * tcp_mem (pages, module-wide, three ints), tcp_congestion_control,
 * tcp_available_congestion_control and tcp_allowed_congestion_control (names),
 * ip_local_port_range (a pair), tcp_syncookies_key (hexadecimal, write only).
 */

package observe

// Both scripts print one line per container and second: ID, CPU time in nanoseconds, memory
// without inactive file cache in bytes (the kubelet's working set), CFS periods, throttled
// periods; then one about themselves. One awk reads all files of a second: a shell's own read
// takes a file a byte at a time, and a process per file would disturb what is measured.
const common = `
program='
function first(file) { value = 0; if ((getline line < file) > 0) value = line; close(file); return value }
function field(file, key) {
	value = 0
	while ((getline line < file) > 0) if (index(line, key " ") == 1) { value = substr(line, length(key) + 2); break }
	close(file)
	return value
}
function sample(id, usage, memory, both, quota) { # id, v1 CPU use, v1 memory, v2, v1 CPU quota: directories
	if ((getline line < (both "/memory.current")) > 0) {
		m = line; close(both "/memory.current"); i = field(both "/memory.stat", "inactive_file")
		n = field(both "/cpu.stat", "usage_usec") "000"; quota = both
	} else {
		m = first(memory "/memory.usage_in_bytes"); i = field(memory "/memory.stat", "total_inactive_file")
		n = first(usage "/cpuacct.usage")
	}
	p = field(quota "/cpu.stat", "nr_periods"); t = field(quota "/cpu.stat", "nr_throttled")
	if (n > 0) printf "%s %s %.0f %s %s\n", id, n, m - i, p, t # else it ended while it was looked at
}'
own() { read -r stat </proc/$$/stat; echo "script $stat"; }
# Engines leave a process running whose client is gone. Its end shows on standard input; the count is
# for engines that hide it.
exec 3<&0
{ cat <&3 >/dev/null; kill $$; } 2>/dev/null &
left=86400
root=/sys/fs/cgroup
`

const nodeScript = common + `
if [ -f $root/cgroup.controllers ]; then base=$root; else base=$root/cpuacct; fi
while [ $((left -= 1)) -gt 0 ]; do
	{
		# The node itself, which is a container: a group that is the root of all is the machine's.
		[ -e $root/cpuacct/cgroup.sane_behavior ] || echo node
		find $base -type d -name 'cri-containerd-*.scope' 2>/dev/null
	} | awk -v base=$base -v root=$root "$program"'
	$0 == "node" { sample("node", root "/cpuacct", root "/memory", root, root "/cpu"); next }
	{
		id = $0; sub(/.*\/cri-containerd-/, "", id); sub(/\.scope$/, "", id); rel = substr($0, length(base) + 1)
		sample(id, root "/cpuacct" rel, root "/memory" rel, root rel, root "/cpu" rel)
	}'
	own
	sleep 1
done
`

const selfScript = common + `
while [ $((left -= 1)) -gt 0 ]; do
	awk -v root=$root "$program"'BEGIN { sample("self", root "/cpuacct", root "/memory", root, root "/cpu") }' </dev/null
	own
	sleep 1
done
`

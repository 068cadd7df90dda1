import Telemetry

extension Rule {
    static let misplaced = Rule(
        "numa-misplaced", "RAM, threads and device are on different NUMA nodes", about: .vm,
        [.warning], .trend, tier: .a,
        evidence: "/proc/PID/numa_maps, last CPU of the vCPUs and IOThreads (stat), the nodes' "
            + "cpulist, numa_node of the disk's adapter",
        condition: "On hosts of two nodes and more: 30 % of the RAM away from the vCPUs' node or "
            + "the device's, or the busiest IOThread away from either.",
        guards: "Younger than 5 min, when the kernel may still move pages; RAM is not judged "
            + "where it is larger than a node, as virtual nodes may match. The vCPUs have a node "
            + "where three quarters of them ran on it; IOThreads below 5 % of a CPU do not count.",
        effect: "DMA and cache misses cross the sockets. One hardware context that is fed from two "
            + "nodes lost about 30 % of its IOPS. [a kernel patch's measurement]",
        remedy: Remedy(
            qemu: "numactl --cpunodebind=NODE --membind=NODE qemu-system-x86_64 …",
            libvirt: "<numatune><memory mode='strict' nodeset='NODE'/></numatune>, <vcpupin> and "
                + "<iothreadpin iothread='1' cpuset='CPUS'/>",
            live: "virsh iothreadpin DOMAIN 1 CPUS --live; migratepages PID FROM NODE",
            verify: "numastat -p PID; the thread's CPU on the Threads screen"),
        causes: ["accel-not-kvm"]
    ) { patient throws(NotChecked) in
        guard try patient.number(.numaNodes, of: .host) >= 2 else { return .notApplicable }
        if let age = patient.knownNumber(.uptime), age < 300 { return .notApplicable }
        let places = try Places(&patient)
        guard let ramNode = Int(exactly: try patient.number(.memoryNode)) else {
            throw NotChecked(reason: "memory_node is no number of a node")
        }
        let ramShare = try patient.number(.memoryNodeShare)
        var seen: [String] = []
        if places.ramIsJudged(&patient) {
            for (who, node) in places.references {
                let away = node == ramNode ? 100 - ramShare : ramShare
                guard patient.reaches(away, 30) else { continue }
                seen.append("\(percent(away)) of the RAM is away from \(who), limit 30 %")
            }
        }
        if let thread = places.thread {
            for (who, node) in places.references where node != thread.node {
                seen.append("\(thread.name) runs on node \(thread.node), not with \(who)")
            }
        }
        guard !seen.isEmpty else { return .healthy }
        let home = places.device?.node ?? places.vcpus ?? ramNode
        return .flag(
            .warning, seen.joined(separator: "; "), remedy: places.remedy(node: home, patient))
    }

    /// On which node who is.
    private struct Places {
        var vcpus: Int?
        var device: (name: String, node: Int)?
        /// The busiest IOThread.
        var thread: (name: String, node: Int)?
        var busiest: ThreadActivity?
        let nodes: [Int: String]

        init(_ patient: inout Patient) throws(NotChecked) {
            nodes = Self.lists(try patient.texts(.nodeCPUs, of: .host))
            var nodeOf: [Int: Int] = [:]
            for (node, list) in nodes {
                for cpu in cpus(in: list) ?? [] { nodeOf[cpu] = node }
            }
            let homes = patient.threads.filter { $0.role == .vcpu }.compactMap(\.lastCPU)
                .compactMap { nodeOf[$0] }
            let counts = Dictionary(grouping: homes, by: { $0 }).mapValues(\.count)
            if let most = counts.max(by: { ($0.value, $1.key) < ($1.value, $0.key) }),
                most.value * 4 >= homes.count * 3
            {
                vcpus = most.key
            }
            let busiest = patient.threads.filter {
                $0.role == .iothread && ($0.cpuPercent ?? 0) >= 5
            }.max { ($0.cpuPercent ?? 0) < ($1.cpuPercent ?? 0) }
            self.busiest = busiest
            if let busiest, let node = busiest.lastCPU.flatMap({ nodeOf[$0] }) {
                thread = (busiest.name, node)
            }
            device = Self.device(&patient, servedBy: busiest)
            guard vcpus != nil || device != nil else {
                throw NotChecked(reason: "neither the vCPUs' node nor the disk's is known")
            }
        }

        /// `0 0-3,8-11` of each node.
        private static func lists(_ texts: [String]) -> [Int: String] {
            var lists: [Int: String] = [:]
            for text in texts {
                let parts = text.split(separator: " ", maxSplits: 1)
                if parts.count == 2, let node = Int(parts[0]) { lists[node] = String(parts[1]) }
            }
            return lists
        }

        /// The disk under the busiest LUN, of those that `thread` serves if it serves any.
        private static func device(
            _ patient: inout Patient, servedBy thread: ThreadActivity?
        ) -> (name: String, node: Int)? {
            let served = thread?.luns ?? []
            let busiest = patient.luns.filter { served.isEmpty || served.contains($0.id) }.max {
                ($0.rates.iops ?? 0) < ($1.rates.iops ?? 0)
            }
            guard let disk = busiest?.hostDisk,
                let node = patient.knownNumber(.numaNode, of: .disk(disk)),
                let node = Int(exactly: node),
                node >= 0
            else { return nil }
            return (disk, node)
        }

        /// Whose nodes the RAM and the IOThread are held against.
        var references: [(who: String, node: Int)] {
            var found: [(who: String, node: Int)] = []
            if let vcpus { found.append(("the vCPUs on node \(vcpus)", vcpus)) }
            if let device { found.append(("\(device.name) on node \(device.node)", device.node)) }
            return found
        }

        /// Whether a node is large enough for the RAM.
        func ramIsJudged(_ patient: inout Patient) -> Bool {
            guard let total = patient.knownNumber(.memoryTotal, of: .host),
                let memory = patient.machine?.memoryBytes
            else { return true }
            return Double(memory) <= total / Double(max(nodes.count, 1))
        }

        func remedy(node: Int, _ patient: Patient) -> Remedy {
            // A list that can be read has only digits, commas and dashes.
            let list = nodes[node].flatMap { cpus(in: $0) == nil ? nil : $0 } ?? "CPUS"
            let pid = patient.machine?.pid.map(String.init) ?? "PID"
            var (pin, live) = ("", "migratepages \(pid) all \(node)")
            if let busiest {
                let number = busiest.libvirtNumber
                pin = " and <iothreadpin iothread='\(number)' cpuset='\(list)'/>"
                live =
                    patient.isLibvirtVM
                    ? "virsh iothreadpin \(patient.domain) \(number) \(list) --live; " + live
                    : "taskset -pc \(list) \(busiest.tid); " + live
            }
            return Remedy(
                qemu: "numactl --cpunodebind=\(node) --membind=\(node) qemu-system-x86_64 …",
                libvirt: "<numatune><memory mode='strict' nodeset='\(node)'/></numatune>, "
                    + "<vcpupin>" + pin,
                live: live)
        }
    }
}

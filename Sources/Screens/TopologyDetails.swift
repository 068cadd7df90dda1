internal import Grid
internal import Telemetry

/// What stands between the guest and the host's disk: device, block graph, settings.
extension Painter {
    mutating func drawTopology(_ lun: LUN, _ pen: inout Pen) {
        putFact("vm", lun.vm, &pen)
        putFact("device", lun.device, &pen)
        putFact("path", lun.path, &pen)
        putFact("lock", lun.path != nil && lun.isOnMainLoop == true ? "BQL" : nil, &pen)
        putFact("pci", lun.pciAddress, &pen)
        if lun.graph.isEmpty {
            putFact("node", lun.node, &pen)
            putFact("file", lun.file, &pen)
        }
        let image = [
            lun.format, lun.cache.map { "cache=" + $0 }, lun.aio.map { "aio=" + $0 },
        ].compactMap(\.self)
        putWords("image", image, lines: 2, &pen)
        drawGraph(lun.graph, &pen)
        putFact(
            "iothread", lun.ioThread ?? (lun.isOnMainLoop == true ? "none: the main loop" : nil),
            &pen)
        if let queues = lun.queues, let size = lun.queueSize {
            putFact("queues", "\(queues) of \(size)", &pen)
        }
        let limits = (lun.throttle ?? "").split(separator: " ").map { String($0) }
        putWords("throttle", limits, lines: 3, &pen)
        putWords("features", lun.features.map(Self.shortFeature), lines: 4, &pen)
        putFact("modelled", lun.modelled, &pen)
        pen.row += 1
    }

    /// `EVENT_IDX` for `VIRTIO_RING_F_EVENT_IDX`.
    private static func shortFeature(_ name: String) -> String {
        for prefix in ["VIRTIO_BLK_F_", "VIRTIO_RING_F_", "VIRTIO_F_"] where name.hasPrefix(prefix)
        {
            return String(name.dropFirst(prefix.count))
        }
        return name
    }

    /// Deeper chains are cut here: a pane has no room for them.
    private static let deepestGraph = 8

    /// From the root down to file or device, each node a step further in.
    private mutating func drawGraph(_ graph: [BlockNode], _ pen: inout Pen) {
        for (depth, node) in graph.prefix(Self.deepestGraph).enumerated() {
            var text = String(repeating: " ", count: depth) + node.driver + " " + node.name
            if let isDirect = node.isDirect { text += isDirect ? " direct" : " cached" }
            putFact(depth == 0 ? "graph" : "", text, &pen)
            if let file = node.file { putFact("", end(of: file, cells: pen.width - 9), &pen) }
        }
        if graph.count > Self.deepestGraph {
            putFact("", "and \(graph.count - Self.deepestGraph) more", &pen)
        }
    }

    /// The end of a path says more than its beginning.
    private func end(of path: String, cells: Int) -> String {
        let scalars = path.unicodeScalars.suffix(max(0, cells))
        guard scalars.startIndex != path.unicodeScalars.startIndex, cells > 1 else { return path }
        return String(symbols.cut) + String(scalars.dropFirst())
    }

    /// Words in as many lines as they take, at most `lines`.
    private mutating func putWords(
        _ label: String, _ words: [String], lines: Int, _ pen: inout Pen
    ) {
        let room = pen.width - 9
        var (line, left) = ("", lines)
        for word in words.prefix(64) where left > 0 {
            if !line.isEmpty, line.cellWidth + 1 + word.cellWidth > room {
                putFact(left == lines ? label : "", line, &pen)
                (line, left) = ("", left - 1)
            }
            line += (line.isEmpty ? "" : " ") + word
        }
        if !line.isEmpty, left > 0 { putFact(left == lines ? label : "", line, &pen) }
    }

    /// The host's disk, in the words of iostat, and its share of the latency: whether it is the
    /// disk, or what lies above it.
    mutating func drawDisk(under lun: LUN, _ pen: inout Pen) {
        guard let name = lun.hostDisk else { return }
        let disk = snapshot.host.disks.first { $0.name == name }
        putFact("disk", name + (disk?.scheduler.map { " sched=" + $0 } ?? ""), &pen)
        guard let disk else { return }
        let waits = "await r " + latencyText(disk.readAwait) + " w "
        putFact("", waits + latencyText(disk.writeAwait), &pen)
        let util = disk.utilPercent.flatMap { NumberText.fixed($0, decimals: 0) }
        let depth = disk.queueDepth.flatMap { NumberText.fixed($0, decimals: 1) }
        putFact(
            "", "util " + (util.map { $0 + "%" } ?? missing) + " aqu-sz " + (depth ?? missing), &pen
        )
        if let wait = disk.meanAwait, let latency = lun.rates.meanLatency, latency > 0,
            let percent = NumberText.fixed(min(100, wait / latency * 100), decimals: 0)
        {
            putFact("", "\(percent)% of the LUN's latency", &pen)
        }
        pen.row += 1
    }
}

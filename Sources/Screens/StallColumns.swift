internal import Grid
internal import Telemetry

/// A request under way.
struct StallRow: TableRow {
    let request: InFlightRequest
    let vm: String?
    let key: String

    static func rows(of snapshot: Snapshot) -> [StallRow] {
        guard !snapshot.inFlight.isEmpty else { return [] }
        let vms = snapshot.vmsOfLUNs
        return snapshot.inFlight.map { request in
            StallRow(
                request: request, vm: vms[request.lun],
                key: request.lun + ".\(request.queue).\(request.head)")
        }
    }

    static var metrics: [String] { ["in_flight", "queue_depth"] }

    var lunIDs: [String]? { [request.lun] }
    var names: [String] { [request.lun, operationText(request.type), request.place.rawValue] }
    var isIdle: Bool { false }

    func severity(_ thresholds: Thresholds) -> Severity {
        thresholds.severity(request.age, of: .oldest)
    }

    static let columns: [Column<StallRow>] = [
        Column(
            "LUN", width: 6, weight: 100, .text { $0.request.lun },
            meaning: "the virtual disk", source: "device list of the source"),
        Column(
            "age", heading: "age_ms", width: 8, weight: 99,
            .number(.milliseconds) { $0.request.age }, gauge: .oldest,
            meaning: "time since the driver published it, or at least since it was seen first",
            source: "looks at the ring"),
        Column(
            "+-", width: 6, weight: 90, .number(.milliseconds) { $0.request.ageUncertainty },
            meaning: "the age may be more by this; - where it was there when vblktop came",
            source: "the time between two looks at the ring"),
        Column(
            "q", width: 3, weight: 84, .number(.count) { Double($0.request.queue) },
            meaning: "number of the virtqueue", source: "the ring it was published in"),
        Column(
            "head", width: 5, weight: 74,
            .number(.count) { Double($0.request.head) },
            meaning: "its first descriptor, or the buffer id of a packed ring",
            source: "avail ring"),
        Column(
            "op", width: 7, weight: 94, .text { operationText($0.request.type) },
            meaning: "read, write, flush, ...; ? where the chain could not be read in time",
            source: "the request's header"),
        Column(
            "sector", width: 10, weight: 78,
            .number(.count) { $0.request.sector.map { Double($0) } },
            meaning: "first sector of 512 bytes", source: "the request's header"),
        Column(
            "KiB", width: 6, weight: 76,
            .number(.kibibytes) { $0.request.byteCount.map { Double($0) } },
            meaning: "data", source: "the request's descriptors"),
        Column(
            "WHERE", width: 24, weight: 97, growth: 48, .text { $0.request.place.words },
            meaning: "who has to act next, and what holds that up if nobody does",
            source: "avail and used ring, what the device popped"),
    ]
}

extension InFlightRequest.Place {
    /// Who has to act next, in words that a narrow column cuts last, and what holds that up where
    /// nobody does.
    var words: String {
        switch self {
        case .ring: "IOThread or lost kick: published, not popped (stopped, starved, dead)"
        case .device: "backend: popped, not completed"
        case .ringOrDevice: "IOThread, lost kick or backend: published, not completed"
        case .used: "vCPU or lost interrupt: completed, not reaped; the vCPU does not run"
        }
    }
}

extension Painter {
    /// The requests under way, and in full below them where the selected one is stuck: a table of
    /// 80 columns has no room for the words.
    mutating func drawStalls() {
        guard !snapshot.inFlight.isEmpty || lacks(StallRow.metrics) else {
            let total = snapshot.total
            let isBusy = total.oldestInFlight != nil || (total.queueDepth?.now ?? 0) > 0
            return drawNote(
                isBusy
                    ? "requests are under way, which this source does not tell one by one"
                    : "no request is under way")
        }
        drawTable(of: StallRow.self)
        let key = state.table.selectedKey
        guard let line = layout.pinned.first,
            let row = StallRow.rows(of: snapshot).first(where: { $0.key == key })
        else { return }
        let end = putCut(
            row.request.lun, row: line, column: 1, width: min(24, columns - 1),
            style: Style(.title, bold: true))
        putCut(
            row.request.place.words, row: line, column: end + 1, width: columns - end - 1,
            style: Style(.label))
    }
}

internal import Telemetry

/// Numbers and histograms of forms 1 and 2, each in a part of its own.
extension SnapshotPartReader {
    /// The LUNs, and the sample's own numbers.
    func readOldNumbers(into snapshot: inout Snapshot) throws(RecordingError) {
        snapshot.luns = try luns()
        readOldFrame(into: &snapshot)
    }

    private func luns() throws(RecordingError) -> [LUN] {
        var (luns, places) = try RowList.decode(parts[SnapshotPart.luns], key: key?.luns.rows ?? [])
        let starts = try tailStarts(of: luns)
        try readSecondHistograms(into: &luns, places)
        let layout = RowLayout<LUN>()
        let table = numbers(
            SnapshotPart.luns, luns.count, key?.luns, places, layout, guesser: OldLUNGuesser(luns))
        var walker = NumberWalker(restoring: table.words, isThere: table.isThere)
        for index in luns.indices { luns[index].walk(&walker) }
        let guesser = OldQueueGuesser(
            luns: layout.state(table, key?.luns, places), owners: QueueGuesser.owners(starts),
            elapsed: isOld ? nil : key.map { Int64(bitPattern: time &- $0.snapshot.monotonic) })
        let tails = tails(
            SnapshotPart.luns, starts, table, key?.luns, places, layout, order: QueueColumn.order,
            guesser: guesser)
        var tailWalker = NumberWalker(restoring: tails.words, isThere: tails.isThere)
        for index in luns.indices { luns[index].walkTail(&tailWalker) }
        return luns
    }

    private func readSecondHistograms(
        into luns: inout [LUN], _ places: [Int?]
    ) throws(RecordingError) {
        guard let bytes = secondParts[SnapshotPart.histograms] else {
            try readOldHistograms(into: &luns, places)
            return
        }
        var (coder, models) = (RangeDecoder(bytes), SecondHistogramModels())
        var room = HistogramModels.bucketLimit
        for index in luns.indices {
            let base = places[index].flatMap { key?.base($0) } ?? (.none, .none)
            luns[index].readLatencies = try models.take(
                base: base.reads, room: &room, from: &coder)
            luns[index].writeLatencies = try models.take(
                base: base.writes, room: &room, from: &coder)
        }
    }

    private func readOldHistograms(
        into luns: inout [LUN], _ places: [Int?]
    ) throws(RecordingError) {
        guard let bytes = oldParts[SnapshotPart.histograms] else {
            for index in luns.indices {
                luns[index].readLatencies = nil
                luns[index].writeLatencies = nil
            }
            return
        }
        var (coder, models) = (RangeDecoder(bytes), OldHistogramModels())
        var room = HistogramModels.bucketLimit
        for index in luns.indices {
            let base = places[index].flatMap { key?.oldBase($0) } ?? (.none, .none)
            luns[index].readLatencies = try models.take(
                base: base.reads, room: &room, from: &coder)
            luns[index].writeLatencies = try models.take(
                base: base.writes, room: &room, from: &coder)
        }
    }

    private func readOldFrame(into snapshot: inout Snapshot) {
        let kinds = FrameNumbers.kinds
        let state = TableState(
            table: NumberTable(rowCount: 1, columnCount: kinds.count),
            base: key?.frame ?? NumberTable(rowCount: 0, columnCount: 0),
            baseRows: [key == nil ? nil : 0], spanColumn: nil)
        let table = columns(
            SnapshotPart.frame, state, kinds, Array(kinds.indices),
            OldFrameGuesser(snapshot.luns, time: isOld ? nil : time))
        restoreFrame(table, into: &snapshot)
    }
}

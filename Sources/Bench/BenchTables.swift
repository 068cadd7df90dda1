internal import Telemetry

// The tables beside the charts.

extension BenchView {
    /// Why a path gives what it gives: what a request costs on it.
    var why: ChartTable {
        let manySizes = blockSizes.count > 1
        let manyLUNs = lunCounts.count > 1
        let hasQueue = result.points.contains { $0.perIO(.requestLocks) != nil }
        let rows = result.points.map { point in
            let setup = point.setup
            let name =
                setup.path + (manySizes ? ", " + Numbers.bytes(setup.blockSize) : "")
                + (manyLUNs ? ", " + Self.luns(setup.luns) : "")
                + (setup.modelled.isEmpty ? "" : " *")
            let times = [point.latency?.p50, point.latency?.p99, point.latency?.p999]
            return [name, Numbers.grouped(point.iops?.median), Numbers.plusMinus(point.iops)]
                + times.map(Numbers.short)
                + [
                    point.cpuPerIO, point.perIO(.vcpuCPU), point.perIO(.deviceCPU),
                    point.perIO(.kicks), point.perIO(.interrupts), point.perIO(.exits),
                    point.switchesPerIO, point.perIO(.lockAcquisitions), point.perIO(.lockWaits),
                    point.perIO(.lockWaitTime), point.perIO(.submissions), point.batch,
                ].map(Numbers.short)
                + (hasQueue ? Self.queueMeasures.map { Numbers.short(point.perIO($0)) } : [])
        }
        return ChartTable(
            title: "Why: latency, and what one request costs",
            headings: [
                "path", "IOPS", "range", "p50 us", "p99 us", "p99.9 us", "CPU ns", "vCPU ns",
                "device ns", "kicks", "irqs", "exits", "switches", "locks", "lock waits",
                "lock ns", "submits", "batch",
            ] + (hasQueue ? ["queue locks", "merges"] : []),
            rows: rows, notes: notes(hasQueue: hasQueue))
    }

    /// What a guest's request queue costs and spares, which only a request-based driver has.
    private static let queueMeasures: [BenchMeasure] = [.requestLocks, .merges]

    /// Why cells are blank, and which figures depend on a model.
    private func notes(hasQueue: Bool) -> [String] {
        var notes: [String] = []
        notes += said { [Self.modelled($0.setup)].filter { !$0.isEmpty } }.map { "* " + $0 }
        notes += said { [$0.failure].compactMap(\.self) }
        let shown = BenchMeasure.allCases.filter {
            hasQueue || !Self.queueMeasures.contains($0)
        }
        notes += said { point in
            guard !point.runs.isEmpty else { return [] }
            return Set(point.missing.values).sorted().compactMap { reason in
                let names = shown.filter { point.missing[$0] == reason }.map(\.rawValue)
                return names.isEmpty ? nil : "\(names.joined(separator: ", ")): \(reason)"
            }
        }.map { "- " + $0 }
        return notes
    }

    /// What `words` say of the points, each once behind all paths that it is said of.
    private func said(_ words: (BenchPoint) -> [String]) -> [String] {
        var said: [(words: String, paths: [String])] = []
        for point in result.points {
            let path = point.setup.path
            for words in words(point) {
                guard let index = said.firstIndex(where: { $0.words == words }) else {
                    said.append((words, [path]))
                    continue
                }
                if !said[index].paths.contains(path) { said[index].paths.append(path) }
            }
        }
        return said.map { "\($0.paths.joined(separator: ", ")): \($0.words)" }
    }

    /// The scaling law of each path; nil where the bench is not about it.
    var scaling: ChartTable? {
        guard !scalings.isEmpty else { return nil }
        let many = Set(scalings.map(\.blockSize)).count > 1
        let rows = scalings.map { scaling -> [String] in
            let name = scaling.path + (many ? ", " + Numbers.bytes(scaling.blockSize) : "")
            guard let fit = try? scaling.fit.get() else {
                return [name] + Array(repeating: "-", count: 6) + bound(scaling)
            }
            let projected = fit.projection(at: Double(PathScaling.deckLUNs))
            return [
                name, Numbers.grouped(fit.law.lambda),
                interval(fit.law.sigma, fit.sigmaInterval, Numbers.short),
                interval(fit.law.kappa, fit.kappaInterval, Numbers.short),
                Numbers.fixed(fit.residualPercent, 1) + " %",
                fit.law.peak.map { Numbers.fixed($0, 0) } ?? "none",
                (fit.largestSize < Double(PathScaling.deckLUNs) ? "" : "measured; law: ")
                    + interval(projected.throughput, projected.interval, Numbers.axis),
            ] + bound(scaling)
        }
        return ChartTable(
            title: "Scaling: X(N) = λN / (1 + σ(N−1) + κN(N−1)) over N LUNs, 95 % intervals",
            headings: [
                "path", "λ IOPS", "σ contention", "κ coherency", "left over", "peak at LUNs",
                "\(PathScaling.deckLUNs) LUNs here", "PROJECTION \(PathScaling.deckCores) cores",
            ],
            rows: rows, notes: scalingNotes)
    }

    private func bound(_ scaling: PathScaling) -> [String] {
        guard let bound = scaling.bound else { return ["-"] }
        let figure = interval(bound.throughput, bound.interval, Numbers.axis)
        return ["<= \(figure) by \(bound.limit.rawValue)"]
    }

    private func interval(
        _ value: Double, _ range: ClosedRange<Double>, _ text: (Double) -> String
    ) -> String {
        "\(text(value)) (\(text(range.lowerBound))…\(text(range.upperBound)))"
    }

    /// Above this the law is not what the runs show, percent.
    private static let soundResidual = 15.0

    private var scalingNotes: [String] {
        var notes = [
            "The law is about LUNs on the \(result.machine.cores) cores measured: it cannot tell "
                + "more cores.",
            "PROJECTION: an upper bound by CPU time a request, nothing else waited for; "
                + "not measured.",
        ]
        for scaling in scalings {
            switch scaling.fit {
            case .failure(let reason): notes.append("\(scaling.path): no law: \(reason)")
            case .success(let fit) where fit.residualPercent > Self.soundResidual:
                notes.append(
                    "\(scaling.path): the law leaves over \(Numbers.fixed(fit.residualPercent, 0)) "
                        + "%: it does not hold here, or the runs were disturbed")
            case .success: break
            }
        }
        return notes
    }

    /// Against fio on the same file; nil where that was not asked for.
    var shares: ChartTable? {
        guard !result.pairings.isEmpty else { return nil }
        let rows = result.pairings.map { pairing in
            let ours = Spread(pairing.pairs.map(\.ours))
            let theirs = Spread(pairing.pairs.map(\.theirs))
            let meaning = pairing.ratio.map { ShareBand(ratio: $0.median).meaning }
            let setup = pairing.setup
            return [
                "\(setup.path) / \(pairing.peer), \(Numbers.bytes(setup.blockSize)), "
                    + Self.luns(setup.luns) + (setup.modelled.isEmpty ? "" : ", modelled"),
                Numbers.grouped(ours?.median), Numbers.grouped(theirs?.median),
                Numbers.range(pairing.ratio), String(pairing.pairs.count),
                pairing.failure ?? meaning ?? "-",
            ]
        }
        let ratios = result.pairings.flatMap { pairing in
            pairing.pairs.enumerated().map { index, pair in
                "\(pairing.setup.path), pair \(index + 1): \(Numbers.grouped(pair.ours)) / "
                    + "\(Numbers.grouped(pair.theirs)) = "
                    + (pair.theirs > 0 ? Numbers.fixed(pair.ours / pair.theirs, 3) : "-")
            }
        }
        return ChartTable(
            title: "Share of bare metal: the same job on the same file, in turn",
            headings: ["pair", "IOPS", "fio IOPS", "ratio", "pairs", "the deck's band"],
            rows: rows, notes: ratios)
    }

    /// The bands of 30, 60 and 90 % as a chart; empty without a ratio.
    var shareBars: [(label: String, ratio: Spread)] {
        result.pairings.compactMap { pairing in
            pairing.ratio.map { (pairing.setup.path + " / " + pairing.peer, $0) }
        }
    }

    /// What the kinds of figures are.
    static let legend = [
        "measured: counted on this machine, in these runs",
        "2013: the KVM Forum deck's figures, of another machine with real storage; on their own "
            + "scale, in no computation",
        "modelled: depends on a cost that was added by waiting, not incurred",
        "projection: computed beyond what was measured",
    ]
}

import Foundation

// `make bench`: every figure the project has promised, with its peer, measured in turn with it.

func complain(_ text: String) {
    FileHandle.standardError.write(Data("vblktop-bench: \(text)\n".utf8))
}

func runBenchmarks() throws -> Int32 {
    let options = try Options(Array(CommandLine.arguments.dropFirst()))
    var report = Report(machine: Machine())
    let files = BackingFiles(options)
    defer { files.remove() }
    print(report.machine.description)
    if options.isQuick { print("Quick: short windows and few rounds; not for quoting.") }
    print("\n" + Report.header)

    let benchmarks: [(name: String, run: (inout Report) throws -> Void)] = [
        ("twin", { try TwinBenchmark.run(options, &$0) }),
        ("allocations", { try AllocationBenchmark.run(options, files, &$0) }),
        ("fio", { try FioBenchmark.run(options, files, &$0) }),
        ("paths", { try PathBenchmarks.ratio(options, &$0) }),
        ("paths-twin", { try PathBenchmarks.twin(options, &$0) }),
        ("paths-idle", { try PathBenchmarks.idle(options, &$0) }),
        ("paths-fio", { try FioBenchmark.passThrough(options, files, &$0) }),
        ("paths-uring", { try FioBenchmark.uring(options, files, &$0) }),
        ("paths-qcow2", { try ImageBenchmark.run(options, files, &$0) }),
        ("notifications", { try NotificationBenchmark.run(options, files, &$0) }),
        ("scaling", { try ScalingBenchmark.run(options, &$0) }),
        ("tracing", { try TracingBenchmark.run(options, files, &$0) }),
        ("screen", { ScreenBenchmark.run(options, &$0) }),
        ("attach-accuracy", { try AttachAccuracy.run(options, files, &$0) }),
        ("attach-cost", { try AttachCost.run(options, &$0) }),
        ("attach-guest", { try AttachDisturbance.run(options, &$0) }),
        ("attach-memory", { try AttachMemory.run(options, &$0) }),
        ("doctor-cost", { try DoctorCost.run(options, &$0) }),
        ("bpf-cost", { try BPFCost.run(options, &$0) }),
        ("ring-cost", { try RingCost.cost(options, &$0) }),
        ("ring-seen", { try RingCost.seen(options, &$0) }),
        ("ring-effect", { try RingCost.effect(options, &$0) }),
        ("record-size", { try RecordSize.run(options, &$0) }),
        ("record-codec", { try RecordCodec.run(options, &$0) }),
        ("record-cost", { try RecordCost.run(options, &$0) }),
        ("record-stall", { try RecordStall.run(options, &$0) }),
        ("report-speed", { try ReportSpeed.run(options, &$0) }),
        ("record-seek", { try RecordSeek.run(options, &$0) }),
        ("record-crash", { try RecordCrash.run(options, &$0) }),
    ]
    for unknown in options.only where !benchmarks.contains(where: { $0.name == unknown }) {
        let names = benchmarks.map(\.name).joined(separator: ", ")
        throw Options.Mistake(text: "no benchmark \(unknown); there are \(names)")
    }
    for (name, run) in benchmarks where options.only.isEmpty || options.only.contains(name) {
        do {
            try run(&report)
        } catch {
            report.add(.failed(name, "\(error)"))
        }
    }
    if let path = options.json { try report.writeJSON(to: path) }
    return options.isStrict && report.hasFailure ? 1 : 0
}

do {
    exit(try runBenchmarks())
} catch let mistake as Options.Mistake {
    complain("\(mistake.text)\n\(Options.usage)")
    exit(2)
} catch {
    complain("\(error)")
    exit(1)
}

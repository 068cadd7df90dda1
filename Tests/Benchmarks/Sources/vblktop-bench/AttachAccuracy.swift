import CBench
import Foundation
import GuestHarness

/// What vblktop says of a live VM, against what others counted.
enum AttachAccuracy {
    private static let limit = Figure.Bar.atMost(2)

    static func run(
        _ options: Options, _ files: BackingFiles, _ report: inout Report
    ) throws {
        for disks in [8, 56] {
            let machine = WatchedGuest.machine(disks: disks)
            try WatchedGuest.with(
                machine, for: "accuracy, \(disks) LUNs", options, &report
            ) { watched, report in
                let rate = disks == 8 ? 50 : 10
                try compareWithFio(watched, rate: rate, &report)
                try compareWithFio(watched, rate: nil, &report)
                if disks == 8 { try compareWithPidstat(watched, rate: rate, &report) }
            }
        }
        try compareWithIostat(options, files, &report)
    }

    /// Sizes differ, so that bytes are not requests in disguise.
    private static let sizes = ["--bssplit=4k/50:16k/50"]

    /// From before a load to after it vblktop's rates, times their intervals, must make as many
    /// requests as the guest's fio did.
    private static func compareWithFio(
        _ watched: WatchedGuest, rate: Int?, _ report: inout Report
    ) throws {
        let seconds = watched.options.isQuick ? 5 : 20
        let program = try BackgroundProgram(watched.command(["--json"]))
        pause(seconds: 2.5)
        let done = try watched.guest.fio(
            FioLoad(
                disks: watched.disks, pattern: "randrw", depth: 4, rate: rate,
                until: .seconds(seconds), options: sizes))
        pause(seconds: 3)
        let samples = try WatchedSample.all(in: try program.output(isAsked: true))
        let count = Recount(samples)

        let load = rate == nil ? "free-running" : "rate-limited"
        let name = "accuracy, \(watched.disks.count) LUNs, \(load)"
        let iops = done.values.reduce(0) { $0 + $1.iops }
        let slowed = samples.count { $0.sources.contains { $0.name == "qmp" && $0.state != "ok" } }
        func worst(_ ours: [String: Double], _ theirs: (FioResult) -> Int) -> Readings {
            var readings = Readings()
            for (disk, result) in done {
                readings.add(deviation(ours[disk] ?? .nan, Double(theirs(result))))
            }
            return readings
        }
        let requests = worst(count.requests) { $0.reads + $0.writes }
        report.add(
            Figure(
                "\(name), requests", requests.maximum, "%", peer: "guest fio, IOPS",
                peerValue: iops, spread: requests, bar: limit,
                note: "of \(samples.count) samples \(slowed) with QMP slowed or stale"))
        let bytes = worst(count.readBytes) { $0.readBytes }
        report.add(
            Figure("\(name), bytes read", bytes.maximum, "%", spread: bytes, bar: limit))
        let written = worst(count.writtenBytes) { $0.writtenBytes }
        report.add(
            Figure("\(name), bytes written", written.maximum, "%", spread: written, bar: limit))
    }

    /// Context switches of every thread over the same seconds.
    private static func compareWithPidstat(
        _ watched: WatchedGuest, rate: Int, _ report: inout Report
    ) throws {
        let name = "accuracy, context switches"
        guard let pidstat = findProgram("pidstat") else {
            report.add(.skipped(name, "pidstat is not installed (apt install sysstat)"))
            return
        }
        let seconds = watched.options.isQuick ? 5 : 20
        try watched.startEndlessLoad(rate: rate)
        defer { _ = try? watched.guest.run("killall fio") }
        let theirs = try BackgroundProgram([
            pidstat, "-wt", "-p", String(watched.guest.processID), String(seconds), "1",
        ])
        let ours = try BackgroundProgram(watched.command(["--json", "-n", String(seconds)]))
        let samples = try WatchedSample.all(in: try ours.output())
        let rows = pidstatAverages(try theirs.output())
        var worst = Readings()
        var sums = (ours: 0.0, theirs: 0.0)
        for (tid, switches) in rows {
            let mean = samples.mean { sample in
                sample.threads.first { $0.tid == tid }.flatMap {
                    guard let given = $0.voluntarySwitchesPerS,
                        let taken = $0.involuntarySwitchesPerS
                    else { return nil }
                    return given + taken
                }
            }
            guard mean.isFinite else { continue }
            sums.ours += mean
            sums.theirs += switches
            // Of fewer, one switch more or less at an edge of the window is a per cent.
            if switches * Double(seconds) >= 1000 { worst.add(deviation(mean, switches)) }
        }
        report.add(
            Figure(
                "\(name), worst thread", worst.maximum, "%", peer: "pidstat -wt",
                spread: worst, bar: limit,
                note: "\(worst.values.count) of \(rows.count) threads: those with 1000 switches "
                    + "in the window"))
        report.add(
            Figure(
                "\(name), all threads", deviation(sums.ours, sums.theirs), "%",
                peer: "pidstat -wt", peerValue: sums.theirs, bar: limit))
    }

    /// Both kinds of switches a second by thread id, from the lines of averages.
    private static func pidstatAverages(_ output: String) -> [Int: Double] {
        var rows: [Int: Double] = [:]
        for line in output.split(separator: "\n") {
            let words = line.split(separator: " ")
            guard words.count > 5, words[0] == "Average:", let tid = Int(words[3]),
                let given = Double(words[4]), let taken = Double(words[5])
            else { continue }
            rows[tid] = given + taken
        }
        return rows
    }

    // MARK: The host's disk

    private static func compareWithIostat(
        _ options: Options, _ files: BackingFiles, _ report: inout Report
    ) throws {
        let name = "accuracy, host disk"
        guard let iostat = findProgram("iostat") else {
            report.add(.skipped(name, "iostat is not installed (apt install sysstat)"))
            return
        }
        // A loop device is a disk that nobody else uses; making one takes root.
        let file = try files.disk()
        guard let loop = LoopDevice(over: file) else {
            try watch(.file, with: iostat, options, &report)
            return
        }
        defer { loop.detach() }
        try watch(.loop(loop), with: iostat, options, &report)
    }

    /// Where the guest's disk has its data.
    private enum Place {
        case loop(LoopDevice)
        case file
    }

    private static func watch(
        _ place: Place, with iostat: String, _ options: Options, _ report: inout Report
    ) throws {
        let name = "accuracy, host disk"
        var machine = GuestMachine()
        machine.iothreads = ["io0"]
        let id = "disk0"
        switch place {
        case .file:
            machine.disks = [GuestDisk(id, backend: .raw(aio: "native"), iothread: "io0")]
            machine.disks[0].mebibytes = 256
        case .loop(let loop):
            machine.arguments = [
                "-blockdev",
                "driver=raw,node-name=\(id)-node,file.driver=host_device,"
                    + "file.filename=\(loop.path),file.aio=native,cache.direct=on,"
                    + "file.cache.direct=on",
                "-device",
                "virtio-blk-pci,id=\(id),drive=\(id)-node,serial=\(id),iothread=io0,addr=3",
            ]
        }
        try WatchedGuest.with(machine, for: name, options, &report) { watched, report in
            let disk: String?
            switch place {
            case .loop(let loop):
                disk = loop.name
                try watched.guest.run("wait_disk \(id)")
            case .file:
                let path = watched.guest.filePath(machine.disks[0])
                if let path { try fill(path, megabytes: machine.disks[0].mebibytes) }
                disk = path.flatMap(diskName(below:))
            }
            guard let disk else {
                report.add(.skipped(name, "no disk is known below the guest's files"))
                return
            }
            try watched.startEndlessLoad(rate: 200, disks: [id])
            let seconds = options.isQuick ? 5 : 20
            let theirs = try BackgroundProgram([
                iostat, "-xy", "-o", "JSON", disk, String(seconds), "1",
            ])
            let ours = try BackgroundProgram(watched.command(["--json", "-n", String(seconds)]))
            let samples = try WatchedSample.all(in: try ours.output())
            guard let row = try IostatReport.disk(disk, in: try theirs.output()) else {
                report.add(.failed(name, "iostat said nothing of \(disk)"))
                return
            }
            compare(samples, row, disk, &report)
        }
    }

    private static func compare(
        _ samples: [WatchedSample], _ row: [String: Double], _ disk: String,
        _ report: inout Report
    ) {
        func host(_ rate: @escaping (WatchedSample.Disk) -> Double?) -> Double {
            samples.mean { $0.host.disks.first { $0.name == disk }.flatMap(rate) }
        }
        func lun(_ rate: @escaping (WatchedSample.LUN) -> Double?) -> Double {
            samples.mean { $0.luns.first.flatMap(rate) }
        }
        let readSize = host { $0.readBytesPerS } / host { $0.readsPerS } / 1024
        let lunSize = lun { $0.readBytesPerS } / lun { $0.readsPerS } / 1024
        let alone: String? =
            disk.hasPrefix("loop") ? nil : "what others read from \(disk) counts in iostat"
        let rows: [(String, Double, String, String?)] = [
            ("host disk, reads", host { $0.readsPerS }, "r/s", nil),
            ("host disk, writes", host { $0.writesPerS }, "w/s", nil),
            ("host disk, kB read", host { $0.readBytesPerS } / 1024, "rkB/s", nil),
            ("host disk, kB written", host { $0.writeBytesPerS } / 1024, "wkB/s", nil),
            ("host disk, kB of a read", readSize, "rareq-sz", nil),
            ("LUN on it, reads", lun { $0.readsPerS }, "r/s", alone),
            ("LUN on it, kB read", lun { $0.readBytesPerS } / 1024, "rkB/s", alone),
            ("LUN on it, kB of a read", lunSize, "rareq-sz", alone),
        ]
        for (name, ours, column, note) in rows {
            report.add(
                Figure(
                    "accuracy, \(name)", deviation(ours, row[column] ?? .nan), "%",
                    peer: "iostat \(column)", peerValue: row[column], bar: limit, note: note))
        }
        let shown = Set(samples.compactMap { $0.luns.first?.hostDisk })
        if shown != [disk] {
            report.add(.failed("accuracy, the LUN's disk", "it is \(disk), shown is \(shown)"))
        }
    }

    /// The kernel's name of the whole disk that a file's data lie on.
    private static func diskName(below path: String) -> String? {
        var (major, minor): (CUnsignedInt, CUnsignedInt) = (0, 0)
        guard cb_device_below(path, &major, &minor) == 0 else { return nil }
        let link = URL(fileURLWithPath: "/sys/dev/block/\(major):\(minor)")
        let place = link.resolvingSymlinksInPath()
        guard FileManager.default.fileExists(atPath: place.path) else { return nil }
        let isPart = FileManager.default.fileExists(atPath: place.path + "/partition")
        return (isPart ? place.deletingLastPathComponent() : place).lastPathComponent
    }

    /// Writes all of a file: reading a hole costs no disk.
    private static func fill(_ path: String, megabytes: Int) throws {
        guard let file = FileHandle(forUpdatingAtPath: path) else {
            throw CocoaError(.fileWriteUnknown)
        }
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<megabytes {
            let block = (0..<(1 << 17)).map { _ in generator.next() }
            try file.write(contentsOf: block.withUnsafeBytes { Data($0) })
        }
        try file.synchronize()
        try file.close()
    }

    /// By how many per cent `ours` differs from `theirs`.
    private static func deviation(_ ours: Double, _ theirs: Double) -> Double {
        theirs == 0 ? (ours == 0 ? 0 : 100) : abs(ours - theirs) / theirs * 100
    }
}

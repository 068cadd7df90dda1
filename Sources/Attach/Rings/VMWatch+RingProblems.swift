import Host
import QMP
import Rings
import Telemetry

extension VMWatch {
    /// How it stands with finding the virtqueues.
    func ringStatus() -> SourceStatus {
        var status = SourceStatus(name: "rings", state: .ok)
        if published != nil {
            guard process?.isGone == true else { return status }
            status.state = .failed
            status.detail = "the process has ended"
            return status
        }
        if let problem = ringProblems.first {
            status.state = rings.location == nil ? .failed : .ok
            status.detail =
                [problem.reason, problem.remedy].compactMap { $0 }.joined(separator: ": ")
        } else if rings.location == nil {
            status.state = .failed
            status.detail = "QEMU is being asked where the virtqueues are"
        }
        return status
    }

    /// Why virtqueues cannot be read, what concerns all of them first.
    var ringProblems: [Unavailable] {
        guard published == nil else { return [] }
        if let problem = wholeRingProblem { return [problem] }
        return diskRingProblems + scsiRingProblem
    }

    private func problem(_ reason: String, _ remedy: String? = nil) -> Unavailable {
        Unavailable(metric: "rings", reason: reason, remedy: remedy)
    }

    /// What keeps all of them from being read.
    private var wholeRingProblem: Unavailable? {
        guard let process else {
            return problem(
                "the VM's process is not on this host, and virtqueues are read from its memory",
                "run vblktop on the host of the VM, or give --pid")
        }
        if process.isGone { return problem("the process has ended") }
        if rings.isUnsupported {
            let version = model.version?.number ?? "this version"
            return problem(
                "QEMU \(version) does not tell where virtqueues are", "QEMU 7.2 and later do")
        }
        if let reading = rings.readProblem { return readProblem(reading) }
        if rings.location == nil, readySince == nil {
            return problem("QMP is not connected, and only QEMU knows where virtqueues are")
        }
        return rings.memory.problem.map { reason in
            problem(reason, reason.contains("/maps") ? Self.ringRemedy : nil)
        }
    }

    private func readProblem(_ reading: RingProblem) -> Unavailable {
        switch reading {
        case .gone: problem("the process has ended")
        case .notPermitted: problem("reading the VM's memory is not permitted", ptraceRemedy)
        case .stale(let words):
            problem("a virtqueue is not where QEMU said: \(clean(words))", "it is asked again")
        case .failed(let words): problem("the VM's memory cannot be read: \(clean(words))")
        }
    }

    private static let ringRemedy =
        "run as root, with CAP_SYS_PTRACE, or as the user QEMU runs as"

    /// With Yama, being the same user is not enough.
    private var ptraceRemedy: String {
        let path = "/proc/sys/kernel/yama/ptrace_scope"
        var buffer = [UInt8](repeating: 0, count: 16)
        guard let count = try? openTextFile(path).read(into: &buffer), count > 0,
            buffer[0] != UInt8(ascii: "0")
        else { return Self.ringRemedy }
        return buffer[0] == UInt8(ascii: "3")
            ? "\(path) is 3, which forbids it to everyone until the host is booted anew"
            : "run as root or with CAP_SYS_PTRACE: \(path) keeps other programs of the same user "
                + "out"
    }

    /// One line for each reason that some disks have, with the first of them.
    private var diskRingProblems: [Unavailable] {
        var counts: [RingDevice.Problem: (count: Int, first: String)] = [:]
        for device in rings.devices {
            guard let problem = device.problem, problem != .notAsked else { continue }
            let known = counts[problem]
            counts[problem] = ((known?.count ?? 0) + 1, known?.first ?? device.identity.lun)
        }
        return counts.sorted { $0.value.first < $1.value.first }.map { reason, disks in
            let others = disks.count > 1 ? " and \(disks.count - 1) more" : ""
            return problem("\(clean(disks.first))\(others): \(reason.words)", reason.remedy)
        }
    }

    private var scsiRingProblem: [Unavailable] {
        guard let disk = model.disks.first(where: { $0.lun.device.hasPrefix("scsi-") }) else {
            return []
        }
        return [
            problem("\(disk.lun.id): virtqueues of virtio-scsi are not read, only virtio-blk's")
        ]
    }
}

extension RingDevice.Problem {
    fileprivate var words: String {
        switch self {
        case .notAsked: "QEMU has not been asked yet"
        case .noDriver: "no driver of the guest uses its virtqueues"
        case .behindIOMMU: "its virtqueues are behind an IOMMU of the guest's"
        case .refused(let words): "QEMU does not say where its virtqueues are: \(clean(words))"
        }
    }

    fileprivate var remedy: String? {
        switch self {
        case .notAsked, .refused: nil
        case .noDriver: "they are looked for again until it does"
        case .behindIOMMU: "start it without iommu_platform=on"
        }
    }
}

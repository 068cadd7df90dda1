import Telemetry

@testable import Doctor

extension RuleCase {
    static let ioThreads: [RuleCase] = saturated + overshared + mapping + unused

    private static let hot = Load(iops: 30_000, depth: 32, machineIOPS: 30_000)

    private static let saturated: [RuleCase] = [
        RuleCase("iothread-saturated", "behind", .flagged(.warning, ["94 %", "32", "8"])) {
            $0.serve(cpu: 94, depth: 32, below: 8)
        },
        RuleCase(
            "iothread-saturated", "worst, and for some while", .flagged(.critical, ["99 %"]),
            isStanding: true
        ) { $0.serve(cpu: 99, depth: 32, below: 8) },
        RuleCase("iothread-saturated", "worst, at once", .flagged(.warning, ["99 %"])) {
            $0.serve(cpu: 99, depth: 32, below: 8)
        },
        RuleCase(
            "iothread-saturated", "standing does not make it worse",
            .flagged(.warning, ["95 %"]), isStanding: true
        ) { $0.serve(cpu: 95, depth: 32, below: 8) },
        RuleCase("iothread-saturated", "almost", .healthy) {
            $0.serve(cpu: 89, depth: 32, below: 8)
        },
        RuleCase("iothread-saturated", "just enough", .flagged(.warning, ["90 %", "4 requests"])) {
            $0.serve(cpu: 90, depth: 4, below: 2)
        },
        RuleCase("iothread-saturated", "polling with little load", .healthy) {
            $0.serve(cpu: 100, depth: 3.9, below: 0.1)
        },
        RuleCase("iothread-saturated", "the disk has them", .healthy) {
            $0.serve(cpu: 95, depth: 32, below: 30)
        },
        RuleCase("iothread-saturated", "serves none", .notApplicable) {
            $0.threads[2].luns = []
        },
        RuleCase("iothread-saturated", "storage elsewhere", .notChecked("host_disk")) {
            $0.serve(cpu: 95, depth: 32, below: 8)
            $0.luns[0].hostDisk = nil
        },
        RuleCase("iothread-saturated", "no CPU time", .notChecked("cpu_percent")) { _ in },
    ]

    private static let overshared: [RuleCase] = [
        RuleCase("iothread-overshared", "four busy", .flagged(.advice, ["4 busy", "IO io1"])) {
            $0.crowdThread(4, iops: 1000, cpu: 50)
            $0.addIdleThread(cpu: 5)
        },
        RuleCase("iothread-overshared", "two hot, cores idle", .flagged(.advice, ["2 of them hot"]))
        {
            $0.crowdThread(2, iops: 25_000, cpu: 30)
            $0.host.cpuPercent = 50
            $0.know(.host, [.cpuCount: 8])
        },
        RuleCase("iothread-overshared", "saturated too", .flagged(.warning, ["4 busy"])) {
            $0.crowdThread(4, iops: 1000, cpu: 95)
            for index in $0.luns.indices { $0.luns[index].rates.queueDepth?.mean = 16 }
            $0.host.disks[0].queueDepth = 4
            $0.addIdleThread(cpu: 5)
        },
        RuleCase("iothread-overshared", "three busy", .healthy) {
            $0.crowdThread(3, iops: 1000, cpu: 60)
            $0.addIdleThread(cpu: 5)
        },
        RuleCase("iothread-overshared", "number alone", .healthy) {
            $0.crowdThread(8, iops: 1000, cpu: 49)
            $0.addIdleThread(cpu: 5)
        },
        RuleCase("iothread-overshared", "no room anywhere", .healthy) {
            $0.crowdThread(4, iops: 1000, cpu: 60)
            $0.addIdleThread(cpu: 21)
            $0.host.cpuPercent = 95
            $0.know(.host, [.cpuCount: 8])
        },
        RuleCase("iothread-overshared", "the monitor's thread idle", .healthy) {
            $0.crowdThread(4, iops: 1000, cpu: 60)
            $0.addIdleThread(cpu: 1)
            $0.threads[$0.threads.count - 1].name = "IO mon_iothread"
            $0.host.cpuPercent = 95
            $0.know(.host, [.cpuCount: 8])
        },
        RuleCase("iothread-overshared", "one LUN", .notApplicable) { _ in },
        RuleCase("iothread-overshared", "host unknown", .notChecked("host.cpu_percent")) {
            $0.crowdThread(4, iops: 1000, cpu: 60)
        },
    ]

    private static let mapping: [RuleCase] = [
        RuleCase("vq-mapping-missing", "one thread", .flagged(.advice, ["4 queues"]), load: hot) {
            $0.serve(cpu: 60, depth: 32, below: 8)
            $0.know(.vm, [.hasQueueMapping: true])
        },
        RuleCase(
            "vq-mapping-missing", "one busy thread", .flagged(.warning, ["80 %"]), load: hot
        ) {
            $0.serve(cpu: 80, depth: 32, below: 8)
            $0.know(.vm, [.hasQueueMapping: true])
        },
        RuleCase("vq-mapping-missing", "main loop", .flagged(.warning, ["main loop"]), load: hot) {
            $0.luns[0].ioThread = nil
            $0.luns[0].isOnMainLoop = true
            $0.threads[0].luns = ["vd0"]
            $0.threads[0].cpuPercent = 85
            $0.threads[2].luns = []
            $0.know(.vm, [.hasQueueMapping: true])
        },
        RuleCase("vq-mapping-missing", "uneven", .flagged(.advice, ["70 %", "20 %"]), load: hot) {
            $0.map(70, 20)
        },
        RuleCase("vq-mapping-missing", "even enough", .healthy, load: hot) { $0.map(75, 26) },
        RuleCase("vq-mapping-missing", "uneven, with little to do", .healthy, load: hot) {
            $0.map(69, 5)
        },
        RuleCase("vq-mapping-missing", "the disk is slower", .healthy, load: hot) {
            $0.serve(cpu: 79, depth: 32, below: 26)
            $0.know(.vm, [.hasQueueMapping: true])
        },
        RuleCase("vq-mapping-missing", "an adapter", .flagged(.advice, ["8 queues"]), load: hot) {
            $0.vms[0].version = "10.0.2"
            $0.luns[0].device = "scsi-hd"
            $0.luns[0].queues = nil
            $0.threads[2].cpuPercent = 60
            $0.know(.lun("vd0"), [.adapter: "virtio-scsi-pci", .adapterQueues: 8])
        },
        RuleCase("vq-mapping-missing", "an adapter of old", .notApplicable, load: hot) {
            $0.luns[0].device = "scsi-hd"
            $0.threads[2].cpuPercent = 60
            $0.know(.lun("vd0"), [.adapter: "virtio-scsi-pci", .adapterQueues: 8])
        },
        RuleCase("vq-mapping-missing", "one queue", .notApplicable, load: hot) {
            $0.luns[0].queues = 1
            $0.threads[2].cpuPercent = 85
            $0.know(.vm, [.hasQueueMapping: true])
        },
        RuleCase("vq-mapping-missing", "two queues", .flagged(.warning, ["2 queues"]), load: hot) {
            $0.luns[0].queues = 2
            $0.threads[2].cpuPercent = 85
            $0.know(.vm, [.hasQueueMapping: true])
        },
        RuleCase("vq-mapping-missing", "an IDE disk", .notApplicable, load: hot) {
            $0.luns[0].device = "ide-hd"
            $0.threads[2].cpuPercent = 85
            $0.know(.vm, [.hasQueueMapping: true])
        },
        RuleCase("vq-mapping-missing", "an emulated adapter", .notApplicable, load: hot) {
            $0.vms[0].version = "10.0.2"
            $0.luns[0].device = "scsi-hd"
            $0.threads[2].cpuPercent = 85
            $0.know(.lun("vd0"), [.adapter: "lsi53c895a", .adapterQueues: 8])
        },
        RuleCase("vq-mapping-missing", "not hot", .notApplicable, load: Load(iops: 900)) { _ in },
        RuleCase("vq-mapping-missing", "two vCPUs", .notApplicable, load: hot) {
            $0.vms[0].vcpus = 2
        },
        RuleCase(
            "vq-mapping-missing", "fewer jobs than queues", .notApplicable,
            load: Load(iops: 30_000, depth: 3)
        ) { _ in },
        RuleCase("vq-mapping-missing", "a QEMU without", .notApplicable, load: hot) {
            $0.threads[2].cpuPercent = 85
            $0.know(.vm, [.hasQueueMapping: false])
        },
        RuleCase("vq-mapping-missing", "not asked", .notChecked("has_vq_mapping"), load: hot) {
            $0.threads[2].cpuPercent = 85
        },
    ]

    private static let unused: [RuleCase] = [
        RuleCase("iothread-unused", "used", .healthy) { $0.know(.vm, [.ioThreads: ["io0"]]) },
        RuleCase("iothread-unused", "forgotten", .flagged(.warning, ["io0", "vd0"])) {
            $0.know(.vm, [.ioThreads: ["io0"]])
            $0.luns[0].ioThread = nil
            $0.luns[0].isOnMainLoop = true
        },
        RuleCase("iothread-unused", "an adapter without", .flagged(.warning, ["vd0"])) {
            $0.know(.vm, [.ioThreads: ["io0"]])
            $0.luns[0].device = "scsi-hd"
            $0.luns[0].ioThread = nil
            $0.luns[0].isOnMainLoop = true
            $0.know(.lun("vd0"), [.adapter: "virtio-scsi-pci"])
        },
        RuleCase("iothread-unused", "a disk that can have none", .healthy) {
            $0.know(.vm, [.ioThreads: ["io0"]])
            $0.luns[0].device = "ide-hd"
            $0.luns[0].ioThread = nil
            $0.luns[0].isOnMainLoop = true
        },
        RuleCase("iothread-unused", "in reserve", .healthy) {
            $0.know(.vm, [.ioThreads: ["io0", "io1", "io2"]])
        },
        RuleCase("iothread-unused", "too much reserve", .flagged(.info, ["3 of 4", "limit 2"])) {
            $0.know(.vm, [.ioThreads: ["io0", "io1", "io2", "io3"]])
        },
        RuleCase("iothread-unused", "a mapping uses several", .healthy) {
            $0.luns[0].ioThread = "io0,io1,io2,io3"
            $0.know(.vm, [.ioThreads: ["io0", "io1", "io2", "io3"]])
            $0.know(.host, [.cpuCount: 4])
        },
        RuleCase("iothread-unused", "more than CPUs", .flagged(.info, ["4 IOThreads", "2 CPUs"])) {
            $0.luns[0].ioThread = "io0,io1,io2,io3"
            $0.know(.vm, [.ioThreads: ["io0", "io1", "io2", "io3"]])
            $0.know(.host, [.cpuCount: 2])
        },
        RuleCase("iothread-unused", "none", .notApplicable) { $0.know(.vm, [.ioThreads: []]) },
        RuleCase("iothread-unused", "the monitor's", .notApplicable) {
            $0.know(.vm, [.ioThreads: ["mon_iothread"]])
        },
        RuleCase("iothread-unused", "not told yet", .notChecked("io_thread")) {
            $0.know(.vm, [.ioThreads: ["io0"]])
            $0.luns[0].ioThread = nil
            $0.luns[0].isOnMainLoop = nil
        },
        RuleCase("iothread-unused", "no list", .notChecked("io_threads")) { _ in },
    ]
}

extension Snapshot {
    fileprivate mutating func serve(cpu: Double, depth: Double, below: Double) {
        threads[2].cpuPercent = cpu
        luns[0].rates.queueDepth = QueueDepth(now: nil, mean: depth)
        host.disks[0].queueDepth = below
    }

    mutating func crowdThread(_ count: Int, iops: Double, cpu: Double, queues: Int = 4) {
        let first = luns[0]
        luns = (0..<count).map { number in
            var lun = first
            lun.id = "vd\(number)"
            lun.queues = queues
            lun.rates.iops = iops
            lun.rates.queueDepth = QueueDepth(now: nil, mean: 0.3)
            return lun
        }
        threads[2].luns = luns.map(\.id)
        threads[2].cpuPercent = cpu
    }

    fileprivate mutating func addIdleThread(cpu: Double) {
        var thread = ThreadActivity(tid: 103, role: .iothread, name: "IO io1")
        thread.cpuPercent = cpu
        threads.append(thread)
    }

    fileprivate mutating func map(_ first: Double, _ second: Double) {
        luns[0].ioThread = "io0,io1"
        threads[2].cpuPercent = first
        addIdleThread(cpu: second)
        threads[3].luns = ["vd0"]
    }
}

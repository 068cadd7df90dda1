import Doctor
import Foundation
import Telemetry

/// What it costs to examine a sample: all rules, 56 busy LUNs, with everything known that a
/// running VM tells, and nothing wrong but what load makes so.
enum DoctorCost {
    /// Milliseconds of one examination.
    private static let bar = 2.0

    static func run(_ options: Options, _ report: inout Report) throws {
        let count = options.isQuick ? 60 : 240
        var samples = SimulatedLoad(rates: Array(repeating: 800, count: 56)).samples(count)
        let sheet = FactSheet(facts(of: samples[0].luns.map(\.id)))
        for index in samples.indices {
            samples[index].vms = [
                VirtualMachine(
                    name: "guest1", pid: 1, version: "7.2.22", accelerator: .kvm,
                    status: "running", vcpus: 4, memoryBytes: 8 << 30)
            ]
            samples[index].facts = sheet
        }
        var doctor = Doctor()
        var (all, worst): (Readings, Readings) = (Readings(), Readings())
        var findings = 0
        for (index, sample) in samples.enumerated() {
            let time = threadTime { findings = doctor.follow(sample).findings.count } / 1e6
            // Settings are judged anew every ten seconds, trends in the same samples.
            if index > 0, index % 10 == 0 { worst.add(time) }
            all.add(time)
        }
        let note = "\(Rule.all.count) rules, \(sheet.facts.count) facts, \(findings) findings"
        report.add(
            Figure(
                "examining a sample of 56 LUNs", all.median, "ms", spread: all, bar: .atMost(bar),
                note: note))
        report.add(
            Figure(
                "… with all settings and trends", worst.median, "ms", spread: worst,
                bar: .atMost(bar)))
    }

    private static func facts(of luns: [String]) -> [Fact] {
        func facts(_ scope: Scope, _ values: [(FactName, FactValue)]) -> [Fact] {
            values.map { Fact(Subject(scope), $0, $1, from: "\(scope.kind) \($0.rawValue)") }
        }
        return facts(.host, host) + facts(.vm, machine) + luns.flatMap { facts(.lun($0), lun) }
    }

    private static let host: [(FactName, FactValue)] = [
        (.kernelRelease, "6.1.0"), (.architecture, "x86_64"), (.cpuCount, 40), (.numaNodes, 1),
        (.delayAccounting, false), (.clocksource, "tsc"), (.aioReserved, 4096),
        (.aioLimit, 1_048_576), (.ioUringDisabled, 0), (.memoryTotal, 274_877_906_944),
        (.memoryAvailable, 137_438_953_472), (.swapTotal, 0), (.swapRate, 0), (.memoryPressure, 0),
        (.ksmRun, 0), (.hugePages, "always"), (.sharedHugePages, "advise"), (.dirtyRatio, 20),
        (.dirtyLimit, 1_073_741_824), (.haltPoll, 200_000), (.nxHugePages, "Y"),
    ]
    private static let machine: [(FactName, FactValue)] = [
        (.machineType, "pc-q35-7.2"), (.machineIsDeprecated, false), (.cpuModel, "host"),
        (.cpuX2APIC, true), (.cpuPVEOI, true), (.cpuKVMClock, true), (.cpuInvariantTSC, false),
        (.cpuLongMode, true), (.irqChip, "on"), (.isLibvirt, true), (.domain, "guest1"),
        (.uptime, 86_400), (.sinceReset, 86_000), (.inStatus, 86_000), (.hugePageShare, 98),
        (.memoryPage, 4096), (.swappedMemory, 0), (.majorFaults, 0), (.openFiles, 200),
        (.openFileLimit, 4096), (.elfClass, 64), (.aioContexts, 2), (.workers, 4),
        (.workerLimit, 64), (.migration, "none"), (.ioThreads, ["io0", "io1"]),
    ]
    private static let lun: [(FactName, FactValue)] = [
        (.isReadOnly, false), (.isDirect, true), (.isWriteback, true), (.ignoresFlushes, false),
        (.backingDepth, 0), (.virtualSize, 107_374_182_400), (.encryption, "none"),
        (.detectZeroes, "off"), (.ioStatus, "ok"), (.failedOperations, 0),
        (.invalidOperations, 0), (.failedDiscards, 0), (.passedDiscards, 0), (.job, "none"),
        (.cacheIsGiven, true), (.aioIsGiven, true), (.cacheGiven, "none"), (.xDataPlane, false),
        (.discardOption, "unmap"), (.ioeventfd, true), (.packed, false), (.eventIndex, true),
        (.indirectDescriptors, true), (.requestMerging, true), (.scsiPassthrough, false),
        (.configWCE, true), (.segMaxAdjust, true), (.discard, true), (.multifunction, false),
        (.hotpluggable, true), (.disableModern, false), (.disableLegacy, "on"),
        (.writeCacheProperty, "auto"), (.vectors, 5), (.rerror, "report"), (.werror, "stop"),
        (.guestLogicalBlock, 512), (.guestPhysicalBlock, 4096), (.mappedThreads, 0),
        (.isDevice, true), (.partitionStart, 2048), (.ioLimit, "none"),
    ]
}

import DataPlane
import Kernel
import Virtio

extension DemoConfiguration {
    /// Requests per second of all LUNs of a believable VM together, so that the machine stays
    /// usable.
    private static let totalRate = 4000.0

    /// The LUNs this configuration asks for, on `backends`.
    func lunConfigurations(on backends: [BackendChoice]) -> [LUNConfiguration] {
        let digits = String(max(0, backends.count - 1)).count
        var luns = backends.enumerated().map { index, backend in
            let number = String(index)
            let zeros = String(repeating: "0", count: max(2, digits) - number.count)
            return LUNConfiguration(
                id: "vd" + zeros + number, backend: backend,
                job: job(ofLUN: index, count: backends.count))
        }
        scenario.apply(to: &luns)
        for index in luns.indices {
            if !paths.isEmpty { luns[index].path = paths[index % paths.count] }
            override(&luns[index])
        }
        return luns
    }

    private func job(ofLUN index: Int, count: Int) -> JobConfiguration {
        var job = JobConfiguration()
        if !isAtFullLoad {
            let workload = Workload.allCases[index % Workload.allCases.count]
            job = workload.job
            // The rates of the six kinds add up to 1460 a second.
            let sum = 1460.0 / 6 * Double(count)
            let least = count <= 64 ? 25.0 : 5.0
            job.rate = job.rate.map { max(least, $0 * min(1, Self.totalRate / sum)) }
        }
        job.seed = UInt64(index) + 1
        return job
    }

    /// What the command line says goes before what the scenario chose.
    private func override(_ lun: inout LUNConfiguration) {
        if let blockSize { lun.job.blockSize = blockSize }
        if let queueDepth { lun.job.depth = queueDepth }
        if let jobs { lun.job.jobs = jobs }
        if let pattern { lun.job.pattern = pattern }
        if let rate { lun.job.rate = rate }
        if let readPercent { lun.job.readPercent = readPercent }
        lun.job.verifies = verifies
        settings.apply(to: &lun, vcpus: vcpuCount)
        if lun.backend.isReadOnly { lun.job.readPercent = 100 }
        // Room in the ring for all the jobs ask for, where the scenario is not about its lack.
        while lun.queueSize < 1024, lun.features.contains(.indirect),
            lun.queueSize < lun.job.depth * lun.job.jobs
        {
            lun.queueSize *= 2
        }
    }

    private var vcpuCount: Int { vcpus ?? processorCount() }

    /// The engine this configuration asks for.
    func engineConfiguration(on backends: [BackendChoice]) -> EngineConfiguration {
        var engine = EngineConfiguration(luns: lunConfigurations(on: backends))
        let wait = wait ?? (runsAtFullSpeed ? .yield : .block)
        engine.deviceWait = wait
        engine.guestWait = wait
        engine.vcpus = vcpuCount
        engine.ioThreads = settings.ioThreads ?? scenario.ioThreads
        engine.costs = settings.costs
        engine.trace = trace
        engine.sharesMemory = sharesMemory
        return engine
    }
}

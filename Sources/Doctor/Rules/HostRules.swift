import Telemetry

extension Rule {
    /// Settings and limits of the host.
    static let hostRules: [Rule] = [aioLimit]

    static let aioLimit = Rule(
        "host-aio-max-nr", "Linux AIO contexts nearly exhausted", about: .host,
        [.warning, .critical], .setting, tier: .a, isForQEMU: false,
        evidence: "/proc/sys/fs/aio-nr, /proc/sys/fs/aio-max-nr",
        condition: "aio-nr at 80 % of aio-max-nr; critical at 95 %, or with fewer than 2048 left, "
            + "which a VM with one IOThread takes.",
        effect: "Each event loop that serves a LUN with aio=native reserves 1024 requests, so that "
            + "the default of 65,536 is used up by some 64 loops on a host. Then a new VM fails to "
            + "start (\"failed to create linux AIO context\"), and a context made later falls back "
            + "to the thread pool. [measured with QEMU 7.2]",
        remedy: Remedy(
            qemu: "echo 'fs.aio-max-nr = 1048576' > /etc/sysctl.d/90-aio.conf",
            live: "sysctl fs.aio-max-nr=1048576",
            verify: "cat /proc/sys/fs/aio-nr /proc/sys/fs/aio-max-nr"),
        deck: [11]
    ) { patient throws(NotChecked) in
        let reserved = try patient.number(.aioReserved)
        let limit = try patient.number(.aioLimit)
        guard limit > 0 else { return .notApplicable }
        let share = reserved / limit * 100
        let evidence =
            "fs.aio-nr is \(figures(reserved)) of \(figures(limit)) (\(percent(share))), "
            + "limits 80 and 95 %"
        if share >= 95 || limit - reserved < 2048 { return .flag(.critical, evidence) }
        return share >= 80 ? .flag(.warning, evidence) : .healthy
    }
}

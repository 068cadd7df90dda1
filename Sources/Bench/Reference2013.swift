/// Figures of the founding deck (KVM Forum 2013), as marks beside what is measured. They are of
/// another machine, with real storage: no figure of ours is ever computed with one of them.
public struct Reference2013: Sendable, Equatable {
    /// What was measured, in the deck's terms.
    public var name: String
    /// Bytes of one request.
    public var blockSize: Int
    /// Requests per second.
    public var iops: Double
    /// Whether the deck rounds it: “1.61 million”, “~950,000”.
    public var isRounded = false

    /// What they were measured on.
    public static let machine =
        "IBM x3850 X5, 4 x E7-4870 (40 cores), 56 RAM-disk LUNs over 14 FC ports, 2013"

    /// The bar charts at 4 KiB: exact figures as printed. The first is of SLES 11 SP3 and upstream
    /// QEMU; the BQL is the Big QEMU Lock, “existing KVM with virtio-blk”.
    public static let bars: [Reference2013] = [
        .init(name: "data-plane, SLES 11 SP3", blockSize: 4096, iops: 1_613_288),
        .init(name: "data-plane, tuned", blockSize: 4096, iops: 1_601_753),
        .init(name: "vSphere 5.1", blockSize: 4096, iops: 1_059_304),
        .init(name: "pass-through, tuned", blockSize: 4096, iops: 939_199),
        .init(name: "Hyper-V, several guests", blockSize: 4096, iops: 400_000),
        .init(name: "data-plane, untuned", blockSize: 4096, iops: 380_730),
        .init(name: "pass-through, untuned", blockSize: 4096, iops: 295_652),
        .init(name: "virtio-blk under the BQL", blockSize: 4096, iops: 147_365),
    ]

    /// What the deck's text says by block size; the curves of its line chart carry no numbers.
    public static let byBlockSize: [Reference2013] = [
        .init(name: "Hyper-V, 2012", blockSize: 512, iops: 700_000, isRounded: true),
        .init(name: "data-plane, upstream", blockSize: 4096, iops: 1_610_000, isRounded: true),
        .init(name: "data-plane, upstream", blockSize: 8192, iops: 1_370_000, isRounded: true),
        .init(name: "data-plane, RHEL 6.4", blockSize: 4096, iops: 1_580_000, isRounded: true),
        .init(name: "data-plane, RHEL 6.4", blockSize: 8192, iops: 1_200_000, isRounded: true),
        .init(name: "pass-through", blockSize: 4096, iops: 950_000, isRounded: true),
        .init(name: "pass-through", blockSize: 8192, iops: 800_000, isRounded: true),
        .init(name: "vSphere 5.0", blockSize: 8192, iops: 300_000, isRounded: true),
    ]
}

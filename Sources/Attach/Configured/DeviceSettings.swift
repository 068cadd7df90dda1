import Telemetry

/// A property of a device that is a fact as it stands, and what it is when nobody sets it.
struct ConfiguredProperty: Sendable {
    let name: FactName
    /// QEMU's word for it.
    let property: String
    let kind: PropertyFact.Kind
    /// By the machine type's release, the oldest first.
    let defaults: [(since: Release, value: FactValue)]

    init(
        _ name: FactName, _ property: String, _ kind: PropertyFact.Kind = .flag,
        by defaults: [(since: Release, value: FactValue)]
    ) {
        self.name = name
        self.property = property
        self.kind = kind
        self.defaults = defaults
    }

    /// One that has the same default with all machine types.
    init(
        _ name: FactName, _ property: String, _ kind: PropertyFact.Kind = .flag,
        always value: FactValue
    ) {
        self.init(name, property, kind, by: [(.oldest, value)])
    }
}

extension ConfiguredProperty {
    /// Of any virtio-blk device. The turns of the defaults were seen with QEMU 7.2 and machine
    /// types from 1.7 on.
    static let virtioBlock: [ConfiguredProperty] = [
        ConfiguredProperty(.ioeventfd, "ioeventfd", always: true),
        ConfiguredProperty(.werror, "werror", .text, always: "auto"),
        ConfiguredProperty(.rerror, "rerror", .text, always: "auto"),
        ConfiguredProperty(
            .scsiPassthrough, "scsi", by: [(.oldest, true), (Release(2, 5), false)]),
        ConfiguredProperty(.writeCacheProperty, "write-cache", .text, always: "auto"),
        ConfiguredProperty(.eventIndex, "event_idx", always: true),
        ConfiguredProperty(.indirectDescriptors, "indirect_desc", always: true),
        ConfiguredProperty(.requestMerging, "request-merging", always: true),
        ConfiguredProperty(.packed, "packed", always: false),
        ConfiguredProperty(
            .discard, "discard", by: [(.oldest, false), (Release(4, 0), true)]),
        ConfiguredProperty(
            .segMaxAdjust, "seg-max-adjust", by: [(.oldest, false), (Release(5, 0), true)]),
    ]

    /// Of a virtio-blk device on PCI.
    static let virtioPCI: [ConfiguredProperty] = [
        ConfiguredProperty(
            .disableModern, "disable-modern", by: [(.oldest, true), (Release(2, 7), false)]),
        ConfiguredProperty(
            .disableLegacy, "disable-legacy", .text,
            by: [(.oldest, "off"), (Release(2, 7), "auto")]),
        ConfiguredProperty(.multifunction, "multifunction", always: false),
    ]

    /// Of a SCSI, IDE or other disk.
    static let otherDisk: [ConfiguredProperty] = [
        ConfiguredProperty(.werror, "werror", .text, always: "auto"),
        ConfiguredProperty(.rerror, "rerror", .text, always: "auto"),
        ConfiguredProperty(.writeCacheProperty, "write-cache", .text, always: "auto"),
    ]

    /// Of whatever has a medium. Only a DASD tells its blocks to QEMU by itself.
    static let blockSizes: [ConfiguredProperty] = [
        ConfiguredProperty(.guestLogicalBlock, "logical_block_size", .number, always: 512),
        ConfiguredProperty(.guestPhysicalBlock, "physical_block_size", .number, always: 512),
    ]

    /// Of an IOThread. Polling has been on by itself since QEMU 2.9.
    static let ioThread: [ConfiguredProperty] = [
        ConfiguredProperty(.pollMax, "poll-max-ns", .number, always: 32_768),
        ConfiguredProperty(.aioMaxBatch, "aio-max-batch", .number, always: 0),
        ConfiguredProperty(.threadPoolMax, "thread-pool-max", .number, always: 64),
    ]
}

/// What a configuration says of one device or object, with QEMU's defaults behind it.
struct DeviceSettings: Sendable {
    let subject: Subject
    /// As sources name it.
    let id: String
    let options: OptionText
    /// The option it was made by: `-device`, `-object`.
    var kind = "-device"
    /// Names by which `-global` may mean it.
    var models: [String] = []
    let globals: OptionText
    let defaults: MachineDefaults
    let origins: FactOrigins

    /// What somebody set `property` to, and where.
    func given(_ property: String) -> (text: String, source: String)? {
        if let text = options[property] {
            return (text, origins.source(property, of: id, in: kind))
        }
        for model in models {
            let key = model + "." + property
            if let text = globals[key] { return (text, origins.source(key, in: "-global")) }
        }
        return nil
    }

    /// `property` as the device will have it.
    func fact(_ property: ConfiguredProperty) -> Fact {
        fact(
            property.name, property.property, property.kind, else: defaults.value(property.defaults)
        )
    }

    /// `property` as it is set, else `value`; `nil`: the default is not known, for `reason`.
    func fact(
        _ name: FactName, _ property: String, _ kind: PropertyFact.Kind, else value: FactValue?,
        reason: String? = nil
    ) -> Fact {
        guard let (text, source) = given(property) else {
            guard let value else {
                return Fact(
                    subject, name, missing: reason ?? defaults.reason, from: defaults.source)
            }
            return Fact(subject, name, value, from: defaults.source)
        }
        guard let value = FactValue(option: text, as: kind) else {
            return Fact(
                subject, name, missing: "QEMU does not take \(property)=\(clean(text))",
                from: source)
        }
        return Fact(subject, name, value, from: source)
    }
}

extension FactValue {
    /// An option's value as QEMU reads it; `nil` if it is of another kind.
    init?(option text: String, as kind: PropertyFact.Kind) {
        switch kind {
        case .flag:
            guard text.isOn || ["off", "no", "false", "n"].contains(text) else { return nil }
            self = .flag(text.isOn)
        case .number:
            let isHex = text.hasPrefix("0x") || text.hasPrefix("0X")
            let number = isHex ? UInt64(text.dropFirst(2), radix: 16) : byteCount(text, unit: 1)
            guard let number else { return nil }
            self = .count(number)
        case .text: self = .text(clean(text))
        case .texts: self = .texts([clean(text)])
        }
    }
}

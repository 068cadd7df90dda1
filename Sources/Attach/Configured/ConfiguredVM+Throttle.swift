extension ConfiguredVM {
    /// The limits set on `disk`, in the words that QMP has for them: `iops-total=1000 group=g0`;
    /// `nil` for none. QEMU names a group of one after the drive.
    func throttle(of disk: ConfiguredDisk) -> String? {
        if let drive = disk.options.drive {
            let words = throttleWords(in: drive, prefixes: ["throttling."], isLegacy: true)
            guard !words.isEmpty else { return nil }
            let group = drive["throttling.group"] ?? drive["group"] ?? drive["id"]
            return (words + (group.map { ["group=" + clean($0)] } ?? [])).joined(separator: " ")
        }
        let groups = disk.options.nodes.compactMap { $0["throttle-group"] }
        guard let group = groups.first else { return nil }
        let object = line.objects.last { $0["qom-type"] == "throttle-group" && $0["id"] == group }
        let words = object.map {
            throttleWords(in: $0, prefixes: ["limits.", "x-"], isLegacy: false)
        }
        return ((words ?? []) + ["group=" + clean(group)]).joined(separator: " ")
    }

    private func throttleWords(
        in options: OptionText, prefixes: [String], isLegacy: Bool
    ) -> [String] {
        ThrottleOption.all.compactMap { option in
            let names = prefixes.map { $0 + option.name } + (isLegacy ? [option.legacy] : [])
            guard let text = names.lazy.compactMap({ options[$0] }).first,
                let number = byteCount(text, unit: 1), number > 0
            else { return nil }
            return "\(option.name)=\(number)"
        }
    }
}

/// A limit of QEMU's throttling.
struct ThrottleOption: Sendable {
    /// In QMP: `iops-total-max`.
    let name: String
    /// In a `-drive` of old: `iops_max`.
    let legacy: String
    /// In `<iotune>`: `total_iops_sec_max`.
    let element: String

    static let all: [ThrottleOption] = {
        let kinds = [
            ("iops-total", "iops", "total_iops_sec"), ("iops-read", "iops_rd", "read_iops_sec"),
            ("iops-write", "iops_wr", "write_iops_sec"), ("bps-total", "bps", "total_bytes_sec"),
            ("bps-read", "bps_rd", "read_bytes_sec"), ("bps-write", "bps_wr", "write_bytes_sec"),
        ]
        let variants = [("", ""), ("-max", "_max"), ("-max-length", "_max_length")]
        let limits = kinds.flatMap { name, legacy, element in
            variants.map { dashes, underscores in
                ThrottleOption(
                    name: name + dashes, legacy: legacy + underscores,
                    element: element + underscores)
            }
        }
        return limits + [
            ThrottleOption(name: "iops-size", legacy: "iops_size", element: "size_iops_sec")
        ]
    }()
}

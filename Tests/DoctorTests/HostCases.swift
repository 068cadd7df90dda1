import Telemetry

extension RuleCase {
    static let host: [RuleCase] = [
        RuleCase("host-aio-max-nr", "room", .healthy) {
            $0.know(.host, [.aioReserved: 4096, .aioLimit: 65_536])
        },
        RuleCase("host-aio-max-nr", "near", .flagged(.warning, ["57344", "65536", "88 %"])) {
            $0.know(.host, [.aioReserved: 57_344, .aioLimit: 65_536])
        },
        RuleCase("host-aio-max-nr", "full", .flagged(.critical, ["97 %"])) {
            $0.know(.host, [.aioReserved: 63_488, .aioLimit: 65_536])
        },
        RuleCase("host-aio-max-nr", "unread", .notChecked("denied")) {
            $0.know(.host, [.aioLimit: 65_536])
            $0.lack(.host, .aioReserved, "denied")
        },
    ]
}

extension Rule {
    static let guestRules: [Rule] = []
}

extension Rule {
    static let diskRules: [Rule] = []
}

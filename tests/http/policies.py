"""Policy files as people write them: JSON5 with comments, trailing commas, bare names, single
quotes.
"""

DIRECT = "agent:main:telegram:default:direct:123"  # the key a Telegram producer holds
MAIN = "agent:main:main"  # the key the heartbeat runner drains

ONE_OWNER = """
// One person talks to this agent.
{
  agents: { defaults: { model: 'some/model', }, },  // not ours
  session: { dmScope: "main", /* everything in one session */ },
  channels: {
    telegram: { allowFrom: [ 123, ], },
    'signal': { "allowFrom": ["+15550001"] },
  },
  tools: { anything: 0x10, more: .5, },
}
"""

TWO_OWNERS = """
{
  session: { dmScope: 'main' },
  channels: { telegram: { allowFrom: [123, '456'] } }, // two people: nobody is pinned
}
"""

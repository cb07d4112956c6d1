namespace MassDpo.Shared.Tests.Settings.Hocon;

/// <summary>Texts that use the whole language; the fuzzing starts from them.</summary>
internal static class HoconSamples
{
    /// <summary>The settings of a small Akka.NET cluster with a dispatcher of its own, as such projects write them.</summary>
    public const string AkkaCluster = """"
        # common to all roles
        defaults {
          hostname = "127.0.0.1"
          hostname = ${?CLUSTER_IP}   // set in containers
          port = 4053
          system = selectors
        }

        akka {
          loglevel = INFO
          stdout-loglevel = ${akka.loglevel}
          loggers = ["Akka.Logger.Serilog.SerilogLogger, Akka.Logger.Serilog"]
          log-config-on-start = off

          actor {
            provider = cluster
            ask-timeout = 10s
            serializers {
              selection = "MassDpo.Cluster.SelectionSerializer, MassDpo.Cluster"
            }
            serialization-bindings {
              "MassDpo.Shared.Contracts.Selection, MassDpo.Shared" = selection
            }
            deployment {
              /selector-pool {
                router = round-robin-pool
                nr-of-instances = 4
                cluster { enabled = on, max-nr-of-instances-per-node = 2, allow-local-routees = off, use-role = selector }
              }
              "/selector-pool/*" { dispatcher = tensor-dispatcher }
            }
            debug { receive = off, autoreceive = off, unhandled = on }
          }

          remote {
            dot-netty.tcp {
              hostname = ${defaults.hostname}
              public-hostname = ${?PUBLIC_HOST}
              port = ${defaults.port}
              maximum-frame-size = 4m
              send-buffer-size = 512KiB
            }
            watch-failure-detector.threshold = 12.0
          }

          cluster {
            roles = [selector]
            roles += ${?EXTRA_ROLE}
            min-nr-of-members = 2
            seed-nodes = [
              "akka.tcp://"${defaults.system}"@lighthouse-1:"${defaults.port}
              "akka.tcp://"${defaults.system}"@lighthouse-2:"${defaults.port}   # the second
            ]
            failure-detector {
              heartbeat-interval = 1 s
              acceptable-heartbeat-pause = 3 s
              threshold = 8.0
            }
            downing-provider-class = "Akka.Cluster.SBR.SplitBrainResolverProvider, Akka.Cluster"
            split-brain-resolver { active-strategy = keep-majority, stable-after = 20s }
          }
        }

        base-dispatcher { type = Dispatcher, throughput = 100, throughput-deadline-time = 0ms }
        tensor-dispatcher = ${base-dispatcher} {
          type = ForkJoinDispatcher
          throughput = 1
          dedicated-thread-pool { thread-count = 2, threadtype = background }
        }

        akka.persistence.journal.plugin = "akka.persistence.journal.sqlite"
        akka.persistence.journal.sqlite {
          class = "Akka.Persistence.Sqlite.Journal.SqliteJournal, Akka.Persistence.Sqlite"
          connection-string = """Data Source="journal.db";Mode=ReadWriteCreate"""
          auto-initialize = yes
        }
        akka.extensions = ["Akka.Cluster.Tools.PublishSubscribe.DistributedPubSubExtensionProvider,Akka.Cluster.Tools"]
        """";

    public static readonly string[] All =
    [
        AkkaCluster,
        "a = [1] [2, \"\\u0041\\n\", \"\"\"q\n\"\"\"\"] ${b}, b = [${?c}] {0 : -1.5e+3}, b += 5, b += ${d}, d.\"e.f\" : null # end",
        "{\"a\":[1,{\"b\":[]},true],\"c\":{\"d\":\"\"}}",
        "x = {a = 1}, x = ${x}{b = ${x.a}}, x.c = ${?y} {}, y = ${?z} ${?w.v}, y.q = ${x.b}, z = { r = [${x.a}] }, w.v = ${?w.v}${z}, u : 1 s // no",
        "k = v\nl = x y \"z\" ${k}\nm { n.o = ${l}\"\" }\np = yes, p = ${p}${p}\n",
    ];
}

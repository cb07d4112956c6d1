/* libmassdpo_rdkafka.so: the system's librdkafka, and the three functions of its version 2.1 that Confluent.Kafka asks for and Debian 12's 2.0.2 lacks.
 * A leader epoch of -1 means that none is known; the client then works as it did before there were any. */
#include <librdkafka/rdkafka.h>

#if RD_KAFKA_VERSION < 0x020100ff
RD_EXPORT int32_t rd_kafka_message_leader_epoch(const rd_kafka_message_t *message) {
    (void)message;
    return -1;
}

RD_EXPORT int32_t rd_kafka_topic_partition_get_leader_epoch(const rd_kafka_topic_partition_t *partition) {
    (void)partition;
    return -1;
}

RD_EXPORT void rd_kafka_topic_partition_set_leader_epoch(rd_kafka_topic_partition_t *partition, int32_t epoch) {
    (void)partition;
    (void)epoch;
}
#endif

/* Keeps the linker from dropping librdkafka, of which nothing else is named here. */
const char *massdpo_rdkafka_version(void) { return rd_kafka_version_str(); }

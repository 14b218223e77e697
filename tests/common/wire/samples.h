#pragma once

#include <vector>

#include "common/wire/frames.h"

namespace pilotlight::wire {

inline RevisionKey sample_revision() { return RevisionKey{"default", "iris-00001"}; }

inline Replica sample_replica() {
  Replica replica;
  replica.name = "iris-00001-deployment-abcde";
  replica.address = "127.3.2.10:8012";
  replica.epoch = 77;
  replica.capacity = 4;
  replica.replica_class = ReplicaClass::reserve;
  replica.state = ReplicaState::draining;
  return replica;
}

/// One frame of each type with every field set.
inline std::vector<Frame> sample_frames() {
  Hello hello;
  hello.version_max = 3;
  hello.capabilities = 5;
  hello.role = Role::activator;
  hello.revision = sample_revision();
  hello.replica = "a";
  hello.address = "127.3.2.2:8012";
  hello.epoch = 0x0123456789abcdefULL;
  hello.token = "secret";
  Welcome welcome;
  welcome.capabilities = 1;
  welcome.report_period_ms = 500;
  welcome.server_epoch = 9;
  Stats stats;
  stats.revision = sample_revision();
  stats.epoch = 6;
  stats.queued = 2;
  stats.oldest_wait_us = 1234;
  stats.limit = 4;
  stats.load.at_us = 1'000'000;
  stats.load.concurrency_us = 2'500'000;
  stats.load.proxied_concurrency_us = 500'000;
  stats.load.arrivals = 10;
  stats.load.proxied_arrivals = 3;
  stats.load.completions = 7;
  stats.load.service_time_us = 40'000;
  stats.load.refusals = {1, 2, 3, 4, 5, 6, 7, 8};
  stats.load.in_flight = 3;
  stats.load.proxied_in_flight = 1;
  Ready ready;
  ready.epoch = 6;
  ready.capacity = 4;
  ready.replica_class = ReplicaClass::warm;
  ready.listen_us = 3'100'000;
  ready.ready_us = 3'104'000;
  ready.told_us = 1'200;
  NotReady not_ready;
  not_ready.epoch = 6;
  not_ready.reason = NotReadyReason::draining;
  not_ready.text = "SIGTERM";
  Endpoints endpoints;
  endpoints.revision = sample_revision();
  endpoints.server_epoch = 9;
  endpoints.generation = 12;
  endpoints.complete = true;
  endpoints.ready_p50_us = 3'000'000;
  endpoints.ready_p95_us = 4'000'000;
  endpoints.replicas = {sample_replica(), Replica()};
  endpoints.cause = "HorizontalPodAutoscaler hpa scales this Deployment";
  Drain drain;
  drain.revision = sample_revision();
  drain.replica = "r1";
  drain.epoch = 6;
  Drained drained;
  drained.revision = sample_revision();
  drained.replica = "r1";
  drained.epoch = 6;
  Poke poke;
  poke.revision = sample_revision();
  poke.parked = 500;
  poke.oldest_wait_us = 10;
  Ping ping;
  ping.id = 1;
  Pong pong;
  pong.id = 1;
  Goaway goaway;
  goaway.leader = "10.0.0.7:9444";
  goaway.text = "not the leader";
  Error error;
  error.code = ErrorCause::unauthorized;
  error.text = "wrong token – sorry";
  Woken woken;
  woken.revision = sample_revision();
  woken.answered = true;
  woken.cause = RefusalCause::client_left;
  woken.waited_us = 2'030'000;
  History history;
  history.until = stats;
  history.buckets.resize(2);
  history.buckets[0].age = 600;
  history.buckets[0].concurrency_us = 1'500'000;
  history.buckets[0].proxied_concurrency_us = 500'000;
  history.buckets[0].arrivals_u = 2'000'000;
  history.buckets[0].proxied_arrivals_u = 1;
  history.buckets[0].longest_wait_us = 250'000;
  HistoryEnd history_end;
  history_end.epoch = 6;
  Checkpoint checkpoint;
  checkpoint.revision = sample_revision();
  checkpoint.server_epoch = 9;
  checkpoint.at_us = 77'000'000;
  checkpoint.held_us = 5'000;
  checkpoint.panic_us = 4'000'000;
  checkpoint.max_panic = 8;
  checkpoint.initial_reached = true;
  checkpoint.initial_ready_us = 1;
  checkpoint.active_us = 60'000'000;
  checkpoint.idle_us = 0;
  checkpoint.proxied_us = 61'000'000;
  checkpoint.delayed = {{3, 7}, {0, 5}};
  return {hello, welcome, stats, history, history_end, poke,  ready,      not_ready, endpoints,
          drain, drained, ping,  pong,    goaway,      error, checkpoint, woken};
}

}  // namespace pilotlight::wire

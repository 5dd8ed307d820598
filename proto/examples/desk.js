// A desk in Node: records an event, and reads a refusal with its stable reason, its texts and the fields at fault.
//   npm install @grpc/grpc-js @grpc/proto-loader google-proto-files
//   node proto/examples/desk.js http://127.0.0.1:7070
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");
const common = require("google-proto-files").getProtoPath(".."); // where google/rpc/*.proto lie
const files = ["dunghen/v1/desk.proto", "google/rpc/status.proto", "google/rpc/error_details.proto"];
const types = loader.loadSync(files, { includeDirs: [`${__dirname}/..`, common], keepCase: true, longs: String, defaults: true });
const desk = new (grpc.loadPackageDefinition(types).dunghen.v1.DeskService)(
  new URL(process.argv[2] || "http://127.0.0.1:7070").host, grpc.credentials.createInsecure());

// What is wrong, by the type of each detail: google.rpc.ErrorInfo, google.rpc.LocalizedMessage, google.rpc.BadRequest.
function details(error) {
  const [bytes] = error.metadata.get("grpc-status-details-bin"); // none if it is the transport that speaks
  const status = bytes ? types["google.rpc.Status"].deserialize(bytes) : { details: [] };
  return status.details.map((any) => {
    const type = any.type_url.split("/").pop();
    return [type, types[type].deserialize(any.value)];
  });
}

const event = { // The id is made once for the event: sent again with it, the event is not recorded twice.
  event_id: require("crypto").randomUUID(), dossier: process.argv[3] || "H44.22-250903-0002",
  occurred_at: { seconds: Math.floor(Date.now() / 1000) }, received: { unit: "H44.22", procedure: "1.002600" },
};
const language = new grpc.Metadata();
language.set("accept-language", "vi");
desk.Record({ event }, language, (error, answer) => {
  if (!error) return console.log(JSON.stringify(answer.receipt));
  console.error(error.details);
  for (const [type, detail] of details(error)) console.error(type, JSON.stringify(detail));
  process.exitCode = 1;
});

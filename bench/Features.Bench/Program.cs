using System.CommandLine;
using MassDpo.Features.Bench;

// How near each kind of features comes to the gradient of all parameters; results/ holds what it printed.
var policy = new Option<string>("--policy") { Required = true, Description = "Directory of a policy." };
var data = new Option<string>("--data") { Required = true, Description = "Records of texts." };
var records = new Option<int>("--records") { DefaultValueFactory = _ => 200, Description = "How many of them." };
var negatives = new Option<int>("--negatives") { DefaultValueFactory = _ => 3, Description = "k." };
var block = new Option<int>("--block") { DefaultValueFactory = _ => 16, Description = "Records scored together when time is taken." };
var command = new RootCommand("Compares features with the gradient of all parameters.") { policy, data, records, negatives, block };
command.SetAction((parsed, _) => FeatureTable.PrintAsync(new TableRequest(parsed.GetValue(policy)!, parsed.GetValue(data)!, parsed.GetValue(records),
    parsed.GetValue(negatives), parsed.GetValue(block)), Console.Out));
return await command.Parse(args).InvokeAsync();

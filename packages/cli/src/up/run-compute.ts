import type { Cloud } from '@nova-hyperv/cloud';
import { createComputeManager, type ComputeService } from '@nova-hyperv/compute';
import { createDriver } from '@nova-hyperv/driver';
import type { EmulatedHost } from '@nova-hyperv/emulator';
import { connectHost, mappedReach } from '@nova-hyperv/hyperv';
import type { Logger } from 'pino';
